; What stands in C#'s programs as a whole. The captures are explained in braces/outline.rs.

(method_declaration name: (identifier) @name) @function
(constructor_declaration name: (identifier) @name) @function
(local_function_statement name: (identifier) @name) @function
(using_directive) @import
(using_statement) @control

; Imports come first in a file or a namespace, and nowhere else.
(compilation_unit
  [(class_declaration) (struct_declaration) (interface_declaration) (record_declaration)
    (enum_declaration) (delegate_declaration) (namespace_declaration)]
  (using_directive) @misplaced)
(declaration_list
  [(class_declaration) (struct_declaration) (interface_declaration) (record_declaration)
    (enum_declaration) (delegate_declaration) (namespace_declaration)]
  (using_directive) @misplaced)
(compilation_unit (global_statement) (using_directive) @misplaced)
(compilation_unit (using_directive) @misplaced (extern_alias_directive))
(class_declaration body: (declaration_list (using_directive) @misplaced))
(struct_declaration body: (declaration_list (using_directive) @misplaced))
(interface_declaration body: (declaration_list (using_directive) @misplaced))
(record_declaration body: (declaration_list (using_directive) @misplaced))

; Functions belong to types; what the statements of a file define, its types don't see.
(namespace_declaration body: (declaration_list (method_declaration) @misplaced))
(compilation_unit (global_statement (local_function_statement) @misplaced)
  [(class_declaration) (struct_declaration) (interface_declaration) (record_declaration)
    (enum_declaration) (delegate_declaration) (namespace_declaration)])
(compilation_unit
  [(class_declaration) (struct_declaration) (interface_declaration) (record_declaration)
    (enum_declaration) (delegate_declaration) (namespace_declaration)]
  (global_statement) @misplaced)
(compilation_unit (file_scoped_namespace_declaration) (global_statement) @misplaced)
(local_function_statement (modifier ["public" "private" "protected" "internal"]) @misplaced)
(_ body: (local_function_statement) @misplaced)
(if_statement (local_function_statement) @misplaced)

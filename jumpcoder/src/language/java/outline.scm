; What stands in Java's programs as a whole. The captures are explained in braces/outline.rs.

(method_declaration name: (identifier) @name) @function
(constructor_declaration name: (identifier) @name) @function
(compact_constructor_declaration name: (identifier) @name) @function
(import_declaration) @import

; The grammar takes imports and methods wherever it takes statements.
(program (method_declaration) @misplaced)
(program (class_declaration) (import_declaration) @misplaced)
(program (enum_declaration) (import_declaration) @misplaced)
(program (record_declaration) (import_declaration) @misplaced)
(program (interface_declaration) (import_declaration) @misplaced)
(program (annotation_type_declaration) (import_declaration) @misplaced)
(program (import_declaration) @misplaced (package_declaration))
(block (import_declaration) @misplaced)
(block (package_declaration) @misplaced)

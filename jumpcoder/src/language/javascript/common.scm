; What programs of JavaScript and TypeScript bind and use, as far as the grammars agree. The
; captures are explained in braces/names.rs. Names are seen in the whole of their scope: whether
; they have a value yet is for the run to say.

(identifier) @use.value
(shorthand_property_identifier) @use.value

; Modules.
(import_clause (identifier) @define.any)
(namespace_import (identifier) @define.any)
(import_specifier name: (identifier) @define.any)
(import_specifier name: (identifier) @ignore alias: (_))
(import_specifier alias: (identifier) @define.any)
(export_specifier name: (identifier) @use.any)
(export_specifier alias: (identifier) @ignore)
(export_statement (export_clause (export_specifier name: (identifier) @ignore)) source: (_))
(namespace_export (identifier) @ignore)

; Patterns bind wherever they stand, but in assignments.
(variable_declarator name: (identifier) @define.value)
(array_pattern (identifier) @define.value)
(object_pattern (shorthand_property_identifier_pattern) @define.value)
(object_assignment_pattern left: (shorthand_property_identifier_pattern) @define.value)
(pair_pattern value: (identifier) @define.value)
(rest_pattern (identifier) @define.value)
(assignment_pattern left: (identifier) @define.value)
(assignment_expression left: (array_pattern (identifier) @use.value))
(assignment_expression left: (array_pattern (_ (identifier) @use.value)))
(assignment_expression left: (object_pattern (shorthand_property_identifier_pattern) @use.value))
(assignment_expression left: (object_pattern (object_assignment_pattern
  left: (shorthand_property_identifier_pattern) @use.value)))
(assignment_expression left: (object_pattern (pair_pattern value: (identifier) @use.value)))
(assignment_expression left: (object_pattern (rest_pattern (identifier) @use.value)))

; `var` binds in the function.
(variable_declaration (variable_declarator name: (identifier) @define.value
  (#set! in-function)))
(variable_declaration (variable_declarator name: (array_pattern (identifier) @define.value))
  (#set! in-function))
(variable_declaration (variable_declarator name: (object_pattern
  (shorthand_property_identifier_pattern) @define.value)) (#set! in-function))
(variable_declaration (variable_declarator name: (object_pattern
  (pair_pattern value: (identifier) @define.value))) (#set! in-function))
(for_in_statement kind: "var" left: (identifier) @define.value (#set! in-function))
(for_in_statement kind: "var" left: (array_pattern (identifier) @define.value)
  (#set! in-function))

; Functions and classes.
((function_declaration) @scope (#set! function) (#set! binds "arguments"))
((generator_function_declaration) @scope (#set! function) (#set! binds "arguments"))
((function_expression) @scope (#set! function) (#set! binds "arguments"))
((generator_function) @scope (#set! function) (#set! binds "arguments"))
((arrow_function) @scope (#set! function))
((method_definition) @scope (#set! function) (#set! binds "arguments"))
((class_static_block) @scope (#set! function))
(class_declaration) @scope
(class) @scope
(function_declaration name: (identifier) @define.value (#set! outside))
(generator_function_declaration name: (identifier) @define.value (#set! outside))
(function_expression name: (identifier) @define.value)
(generator_function name: (identifier) @define.value)
(arrow_function parameter: (identifier) @define.value)

; Statements.
(statement_block) @scope
(switch_body) @scope
(for_statement) @scope
(for_in_statement) @scope
(for_in_statement kind: "const" left: (identifier) @define.value)
(for_in_statement kind: "let" left: (identifier) @define.value)
(catch_clause) @scope
(catch_clause parameter: (identifier) @define.value)

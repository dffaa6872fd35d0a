; What stands in Go's programs as a whole. The captures are explained in braces/outline.rs.

(function_declaration name: (identifier) @name) @function
(method_declaration name: (field_identifier) @name) @function
(import_declaration) @import
(source_file (expression_statement (interpreted_string_literal)) @import)

; The package comes first, then imports, then all else; a path alone is part of an import.
(source_file [
  (function_declaration)
  (method_declaration)
  (type_declaration)
  (var_declaration)
  (const_declaration)
] (import_declaration) @misplaced)
(source_file [
  (import_declaration)
  (function_declaration)
  (method_declaration)
  (type_declaration)
  (var_declaration)
  (const_declaration)
] (package_clause) @misplaced)
(source_file (expression_statement (interpreted_string_literal)) @misplaced)

; What only TypeScript's grammar says so; the rest is in javascript/outline.scm.

(function_signature name: (identifier) @name) @function
(abstract_method_signature name: (_) @name) @function
(export_statement (function_signature name: (identifier) @name)) @function
(import_alias) @import

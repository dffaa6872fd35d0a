; What stands in Java's programs as a whole. The captures are explained in braces/items.rs.

(method_declaration name: (identifier) @name) @function
(constructor_declaration name: (identifier) @name) @function
(compact_constructor_declaration name: (identifier) @name) @function
(import_declaration) @import

; The grammar takes imports and methods wherever it takes statements.
(program (method_declaration) @misplaced)
(block (import_declaration) @misplaced)
(block (package_declaration) @misplaced)

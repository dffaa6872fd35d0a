; What stands in PHP's programs as a whole. The captures are explained in braces/outline.rs.

(function_definition name: (name) @name) @function
(method_declaration name: (name) @name) @function
(expression_statement (assignment_expression left: (variable_name) @name
  right: [(anonymous_function) (arrow_function)])) @function
(namespace_use_declaration) @import

; A namespace comes before all else.
(program [(namespace_use_declaration) (function_definition)] @misplaced
  (namespace_definition !body))

; The grammar takes imports wherever it takes statements; a file or a namespace has them at its top.
(function_definition body: (compound_statement (namespace_use_declaration) @misplaced))
(method_declaration body: (compound_statement (namespace_use_declaration) @misplaced))
(anonymous_function body: (compound_statement (namespace_use_declaration) @misplaced))
(if_statement body: (compound_statement (namespace_use_declaration) @misplaced))
(else_clause body: (compound_statement (namespace_use_declaration) @misplaced))
(else_if_clause body: (compound_statement (namespace_use_declaration) @misplaced))
(for_statement body: (compound_statement (namespace_use_declaration) @misplaced))
(foreach_statement body: (compound_statement (namespace_use_declaration) @misplaced))
(while_statement body: (compound_statement (namespace_use_declaration) @misplaced))
(do_statement body: (compound_statement (namespace_use_declaration) @misplaced))
(try_statement body: (compound_statement (namespace_use_declaration) @misplaced))
(catch_clause body: (compound_statement (namespace_use_declaration) @misplaced))
(colon_block (namespace_use_declaration) @misplaced)
(case_statement (namespace_use_declaration) @misplaced)

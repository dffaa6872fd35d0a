; What stands in programs of JavaScript and TypeScript as a whole. The captures are explained in
; braces/outline.rs.

(function_declaration name: (identifier) @name) @function
(generator_function_declaration name: (identifier) @name) @function
(method_definition name: (_) @name) @function
(lexical_declaration (variable_declarator name: (identifier) @name
  value: [(arrow_function) (function_expression) (generator_function)])) @function
(variable_declaration (variable_declarator name: (identifier) @name
  value: [(arrow_function) (function_expression) (generator_function)])) @function
(export_statement [
  (function_declaration name: (identifier) @name)
  (generator_function_declaration name: (identifier) @name)
  (lexical_declaration (variable_declarator name: (identifier) @name
    value: [(arrow_function) (function_expression) (generator_function)]))
]) @function

(import_statement) @import
(lexical_declaration (variable_declarator value: (call_expression
  function: (identifier) @_require)) (#eq? @_require "require")) @import
(variable_declaration (variable_declarator value: (call_expression
  function: (identifier) @_require)) (#eq? @_require "require")) @import
(lexical_declaration (variable_declarator value: (member_expression object: (call_expression
  function: (identifier) @_require))) (#eq? @_require "require")) @import
(variable_declaration (variable_declarator value: (member_expression object: (call_expression
  function: (identifier) @_require))) (#eq? @_require "require")) @import
(lexical_declaration (variable_declarator value: (await_expression (call_expression
  function: (import))))) @import

; The grammar takes these wherever it takes statements; a module has them at its top.
(function_declaration body: (statement_block [(import_statement) (export_statement)] @misplaced))
(generator_function_declaration
  body: (statement_block [(import_statement) (export_statement)] @misplaced))
(function_expression body: (statement_block [(import_statement) (export_statement)] @misplaced))
(arrow_function body: (statement_block [(import_statement) (export_statement)] @misplaced))
(method_definition body: (statement_block [(import_statement) (export_statement)] @misplaced))
(if_statement consequence:
  (statement_block [(import_statement) (export_statement)] @misplaced))
(else_clause (statement_block [(import_statement) (export_statement)] @misplaced))
(for_statement body: (statement_block [(import_statement) (export_statement)] @misplaced))
(for_in_statement body: (statement_block [(import_statement) (export_statement)] @misplaced))
(while_statement body: (statement_block [(import_statement) (export_statement)] @misplaced))
(do_statement body: (statement_block [(import_statement) (export_statement)] @misplaced))
(try_statement body: (statement_block [(import_statement) (export_statement)] @misplaced))
(catch_clause body: (statement_block [(import_statement) (export_statement)] @misplaced))
(switch_case body: [(import_statement) (export_statement)] @misplaced)

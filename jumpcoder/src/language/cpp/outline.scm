; What stands in C++ programs as a whole. The captures are explained in braces/outline.rs.

(function_definition declarator: (function_declarator declarator: (_) @name)) @function
(function_definition declarator: (_ (function_declarator declarator: (_) @name))) @function
(template_declaration (function_definition) @name) @function
(preproc_include) @import
(using_declaration) @import

; The grammar takes these wherever it takes statements or members.
(compound_statement (function_definition) @misplaced)
(compound_statement (template_declaration) @misplaced)
(compound_statement (preproc_include) @misplaced)
(compound_statement (namespace_definition) @misplaced)
(field_declaration_list (using_declaration "namespace") @misplaced)
(namespace_definition body: (declaration_list (preproc_include) @misplaced))

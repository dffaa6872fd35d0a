; What stands in Rust's programs as a whole. The captures are explained in braces/outline.rs.

(function_item name: (identifier) @name) @function
(function_signature_item name: (identifier) @name) @function
(use_declaration) @import
(extern_crate_declaration) @import

; What types and traits have is functions, constants and types.
(impl_item body: (declaration_list (use_declaration) @misplaced))
(trait_item body: (declaration_list (use_declaration) @misplaced))
(foreign_mod_item body: (declaration_list (use_declaration) @misplaced))

; Methods stand nowhere else.
(source_file (function_item parameters: (parameters (self_parameter))) @misplaced)
(block (function_item parameters: (parameters (self_parameter))) @misplaced)
(mod_item body: (declaration_list
  (function_item parameters: (parameters (self_parameter))) @misplaced))

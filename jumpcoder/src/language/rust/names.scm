; What Rust's programs bind and use. The captures are explained in braces/names.rs.

(identifier) @use.value.function
(type_identifier) @use.type

; Names that nothing around binds: what stands after `::`, labels, attributes, tokens. Fields have
; nodes of their own.
(scoped_identifier name: (identifier) @ignore)
(scoped_type_identifier name: (type_identifier) @ignore)
(lifetime (identifier) @ignore)
(label (identifier) @ignore)
(type_binding name: (type_identifier) @ignore)
(associated_type name: (type_identifier) @ignore)

; Before `::`, it is a type or a module.
(scoped_identifier path: (identifier) @use.type)
(scoped_type_identifier path: (identifier) @use.type)
(generic_type type: (identifier) @use.type)
(macro_invocation macro: (identifier) @use.macro)

(attribute (identifier) @ignore)
(attribute (scoped_identifier path: (identifier) @ignore))

; Of mere tokens, what is followed by arguments is taken for a function, what by `::` for a type.
((macro_definition) @scope)
((macro_invocation) @scope)
(token_tree (identifier) @ignore)
(token_repetition (identifier) @ignore)
(token_tree (identifier) @use.value.function . (token_tree . "("))
(token_repetition (identifier) @use.value.function . (token_tree . "("))
(token_tree (identifier) @ignore . [
  "!" "!=" "#" "%" "&" "&&" "*" "+" "+=" "," "-" "-=" "->" "." ".." "..=" "/" ":" ";" "<" "<<" "<="
  "=" "==" "=>" ">" ">=" ">>" "?" "@" "^" "as" "|" "||"
])
(token_repetition (identifier) @ignore . [
  "!" "!=" "#" "%" "&" "&&" "*" "+" "+=" "," "-" "-=" "->" "." ".." "..=" "/" ":" ";" "<" "<<" "<="
  "=" "==" "=>" ">" ">=" ">>" "?" "@" "^" "as" "|" "||"
])
(token_tree (identifier) @use.type . "::")
(token_tree "let" . (identifier) @define.value)
(token_tree "static" . (identifier) @define.function (#set! outside) (#set! hoisted))
(token_tree ["." "::" "fn" "struct"] . (identifier) @ignore)
(token_repetition ["." "::" "fn" "struct"] . (identifier) @ignore)
(token_tree . "[" . (identifier) @ignore)
(token_tree "#" . (token_tree (token_tree (identifier) @ignore)))
(token_tree "#" . (token_tree (token_tree (token_tree (identifier) @ignore))))
(token_repetition "#" . (token_tree (token_tree (identifier) @ignore)))
(token_repetition "#" . (token_tree (token_tree (token_tree (identifier) @ignore))))
(attribute (token_tree (identifier) @ignore))
(attribute (token_tree (token_tree (identifier) @ignore)))
(attribute (token_tree (token_tree (token_tree (identifier) @ignore))))

; Names that arguments of macros have, as in `println!("{x}", x = 1)`.
(tuple_expression (assignment_expression left: (identifier) @ignore))

; Imports. In a list, a path goes on.
(use_declaration argument: (identifier) @define.any (#set! hoisted))
(use_declaration argument: (scoped_identifier name: (identifier) @define.any (#set! hoisted)))
(use_as_clause path: (identifier) @use.type)
(use_as_clause alias: (identifier) @define.any (#set! hoisted))
(use_list (identifier) @define.any (#set! hoisted))
(use_list (scoped_identifier name: (identifier) @define.any (#set! hoisted)))
(scoped_use_list path: (identifier) @use.type)
(use_list (scoped_identifier path: (identifier) @ignore))
(use_list (scoped_identifier path: (scoped_identifier path: (identifier) @ignore)))
(use_list (scoped_identifier path: (scoped_identifier path: (scoped_identifier
  path: (identifier) @ignore))))
(use_list (use_as_clause path: (identifier) @ignore))
(use_list (use_as_clause path: (scoped_identifier path: (identifier) @ignore)))
(use_list (use_as_clause path: (scoped_identifier path: (scoped_identifier
  path: (identifier) @ignore))))
(use_list (scoped_use_list path: (identifier) @ignore))
(use_list (scoped_use_list path: (scoped_identifier path: (identifier) @ignore)))
(use_list (use_wildcard (identifier) @ignore))
(use_list (use_wildcard (scoped_identifier path: (identifier) @ignore)))
(scoped_use_list
  path: (identifier) @define.type
  list: (use_list (self))
  (#set! hoisted))
(scoped_use_list
  path: (scoped_identifier name: (identifier) @define.type)
  list: (use_list (self))
  (#set! hoisted))
(use_wildcard (identifier) @use.type)
(use_wildcard (_) @group (#set! hoisted))
(extern_crate_declaration name: (identifier) @define.type (#set! hoisted))
(extern_crate_declaration name: (identifier) @ignore alias: (identifier))
(extern_crate_declaration alias: (identifier) @define.type (#set! hoisted))

; Items are seen in the whole of their block or module.
((mod_item) @scope (#set! hides "value type function"))
((function_item) @scope (#set! hides "value"))
((function_signature_item) @scope (#set! hides "value"))
(struct_item) @scope
(enum_item) @scope
(union_item) @scope
(trait_item) @scope
(impl_item) @scope
(type_item) @scope
(function_type) @scope
(mod_item name: (identifier) @define.type (#set! outside) (#set! hoisted))
(function_item name: (identifier) @define.function (#set! outside) (#set! hoisted))
(function_signature_item name: (identifier) @define.function (#set! outside) (#set! hoisted))
(struct_item name: (type_identifier) @define.type (#set! outside) (#set! hoisted))
(struct_item name: (type_identifier) @define.type.function !body (#set! outside) (#set! hoisted))
(struct_item
  name: (type_identifier) @define.type.function
  body: (ordered_field_declaration_list)
  (#set! outside) (#set! hoisted))
(enum_item name: (type_identifier) @define.type (#set! outside) (#set! hoisted))
(union_item name: (type_identifier) @define.type (#set! outside) (#set! hoisted))
(trait_item name: (type_identifier) @define.type (#set! outside) (#set! hoisted))
(type_item name: (type_identifier) @define.type (#set! outside) (#set! hoisted))
(const_item name: (identifier) @define.function (#set! hoisted))
(static_item name: (identifier) @define.function (#set! hoisted))
(macro_definition name: (identifier) @define.macro (#set! outside))
(enum_item name: (type_identifier) @owner)
(enum_variant name: (identifier) @define.any)
(mod_item name: (identifier) @owner)
(type_parameter name: (type_identifier) @define.type (#set! hoisted))
(const_parameter name: (identifier) @define.function (#set! hoisted))

; What a type or trait has is only seen after `Self::` and the like.
(impl_item body: (declaration_list [
  (function_item name: (identifier) @ignore)
  (const_item name: (identifier) @ignore)
  (type_item name: (type_identifier) @ignore)
]))
(trait_item body: (declaration_list [
  (function_item name: (identifier) @ignore)
  (function_signature_item name: (identifier) @ignore)
  (const_item name: (identifier) @ignore)
  (type_item name: (type_identifier) @ignore)
]))

; Statements and expressions.
((block) @scope (#set! ordered))
((if_expression) @scope (#set! ordered))
((while_expression) @scope (#set! ordered))
((for_expression) @scope (#set! ordered))
((match_arm) @scope (#set! ordered))
(closure_expression) @scope
(let_declaration pattern: (_) @late) @from
(let_condition pattern: (_) @late) @from
(for_expression pattern: (_) @late value: (_) @from)

; A name in a pattern is bound, unless it is that of a constant: then it's there anyway.
(let_declaration pattern: (identifier) @define.value)
(let_condition pattern: (identifier) @define.value)
(for_expression pattern: (identifier) @define.value)
(match_pattern . (identifier) @define.value)
(parameter pattern: (identifier) @define.value)
(closure_parameters (identifier) @define.value)
(tuple_pattern (identifier) @define.value)
(slice_pattern (identifier) @define.value)
(ref_pattern (identifier) @define.value)
(mut_pattern (identifier) @define.value)
(captured_pattern (identifier) @define.value)
(reference_pattern (identifier) @define.value)
(or_pattern (identifier) @define.value)
(field_pattern name: (shorthand_field_identifier) @define.value)
(field_pattern pattern: (identifier) @define.value)
(tuple_struct_pattern (identifier) @define.value)
(tuple_struct_pattern type: (identifier) @use.value.function)

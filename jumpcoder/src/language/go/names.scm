; What Go's programs bind and use. The captures are explained in braces/names.rs.

(identifier) @use.any
(type_identifier) @use.any
(package_identifier) @use.any

; Names that nothing around binds. Fields, methods and labels have nodes of their own.
(qualified_type name: (type_identifier) @ignore)
(package_clause (package_identifier) @ignore)

; The keys of a literal are fields, unless its type says that they are not.
(keyed_element key: (literal_element (identifier) @ignore))
(composite_literal
  type: [(map_type) (slice_type) (array_type) (implicit_length_array_type)]
  body: (literal_value (keyed_element key: (literal_element (identifier) @use.any))))
(composite_literal
  type: [
    (map_type value: [(map_type) (slice_type) (array_type)])
    (slice_type element: [(map_type) (slice_type) (array_type)])
    (array_type element: [(map_type) (slice_type) (array_type)])
    (implicit_length_array_type element: [(map_type) (slice_type) (array_type)])
  ]
  body: (literal_value [
    (keyed_element value: (literal_element
      (literal_value (keyed_element key: (literal_element (identifier) @use.any)))))
    (literal_element
      (literal_value (keyed_element key: (literal_element (identifier) @use.any))))
  ]))

; Imports.
(import_spec !name path: (_) @define.any (#set! imported))
(import_spec name: (package_identifier) @define.any)
; A line to insert in an import's parentheses.
(source_file (expression_statement (interpreted_string_literal) @define.any) (#set! imported))
(import_spec name: (dot) path: (_) @group (#set! hoisted))

; Functions and types. Parameters are seen in the body; their types are not theirs.
((function_declaration) @scope (#set! ordered))
((method_declaration) @scope (#set! ordered))
((func_literal) @scope (#set! ordered))
((function_type) @scope (#set! ordered))
((method_elem) @scope (#set! ordered))
(type_spec) @scope
(type_alias) @scope
(function_declaration name: (identifier) @define.any (#set! outside))
(type_spec name: (type_identifier) @define.any (#set! outside))
(type_alias name: (type_identifier) @define.any (#set! outside))
(type_parameter_declaration name: (identifier) @define.any (#set! hoisted))
(method_declaration receiver: (parameter_list (parameter_declaration type: [
  (generic_type type_arguments: (type_arguments
    (type_elem (type_identifier) @define.any (#set! hoisted))))
  (pointer_type (generic_type type_arguments: (type_arguments
    (type_elem (type_identifier) @define.any (#set! hoisted)))))
])))
(parameter_declaration name: (identifier) @define.any) @from
(variadic_parameter_declaration name: (identifier) @define.any) @from

; Statements.
((block) @scope (#set! ordered))
((if_statement) @scope (#set! ordered))
((for_statement) @scope (#set! ordered))
((expression_switch_statement) @scope (#set! ordered))
((type_switch_statement) @scope (#set! ordered))
((expression_case) @scope (#set! ordered))
((type_case) @scope (#set! ordered))
((default_case) @scope (#set! ordered))
((communication_case) @scope (#set! ordered))
(var_spec name: (identifier) @define.any) @from
(const_spec (identifier) @define.any) @from
(short_var_declaration left: (expression_list (identifier) @define.any)) @from
(range_clause left: (expression_list (identifier) @define.any) ":=") @from
(receive_statement left: (expression_list (identifier) @define.any) ":=") @from
(type_switch_statement alias: (expression_list (identifier) @define.any) value: (_) @from)

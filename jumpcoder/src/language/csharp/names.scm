; What C#'s programs bind and use. The captures are explained in braces/names.rs.

; In an expression, a name may be a variable, a member, a type, a namespace.
(identifier) @use.any
(_ type: (identifier) @use.type)
(generic_name . (identifier) @use.type)
(invocation_expression function: (identifier) @use.value)
(invocation_expression function: (generic_name . (identifier) @use.value))
(argument (generic_name . (identifier) @use.any))
(type_argument_list (identifier) @use.type)
(method_declaration returns: (identifier) @use.type)
(as_expression right: (identifier) @use.type)
(is_expression right: (identifier) @use.type)
(explicit_interface_specifier (identifier) @use.type)
(type_parameter_constraints_clause . (identifier) @use.type)
(base_list (identifier) @use.type (#set! outside))
(base_list (generic_name . (identifier) @use.type) (#set! outside))
(attribute name: (identifier) @use.type)

; Names that nothing around binds: what stands after a dot, labels, keys.
(member_access_expression name: (identifier) @ignore)
(member_access_expression name: (generic_name . (identifier) @ignore))
(member_binding_expression name: (identifier) @ignore)
(member_binding_expression name: (generic_name . (identifier) @ignore))
(qualified_name name: (identifier) @ignore)
(qualified_name name: (generic_name . (identifier) @ignore))
(qualified_name qualifier: (identifier) @use.any)
(alias_qualified_name (identifier) @ignore)
(alias_qualified_name name: (generic_name . (identifier) @ignore))
(argument name: (identifier) @ignore)
(attribute_argument name: (identifier) @ignore)
(tuple_element name: (identifier) @ignore)
(subpattern . (identifier) @ignore . ":")
(initializer_expression (assignment_expression left: (identifier) @ignore))
(anonymous_object_creation_expression (identifier) @ignore . "=")
(with_initializer . (identifier) @ignore)
(labeled_statement . (identifier) @ignore)
(goto_statement (identifier) @ignore)
(accessor_declaration name: (identifier) @ignore)
(calling_convention (identifier) @ignore)
(extern_alias_directive name: (identifier) @ignore)
(preproc_if condition: (identifier) @ignore)
(preproc_if condition: (_ (identifier) @ignore))
(preproc_if condition: (_ (_ (identifier) @ignore)))
(preproc_elif condition: (identifier) @ignore)
(preproc_elif condition: (_ (identifier) @ignore))
(preproc_elif condition: (_ (_ (identifier) @ignore)))
(preproc_pragma (identifier) @ignore)

; Imports and namespaces.
(using_directive !name (identifier) @ignore)
(using_directive !name (qualified_name qualifier: (identifier) @ignore))
(using_directive !name (qualified_name qualifier: (qualified_name
  qualifier: (identifier) @ignore)))
(using_directive !name (qualified_name qualifier: (qualified_name qualifier: (qualified_name
  qualifier: (identifier) @ignore))))
(using_directive !name (qualified_name qualifier: (qualified_name qualifier: (qualified_name
  qualifier: (qualified_name qualifier: (identifier) @ignore)))))
(using_directive !name (identifier) @group (#set! hoisted))
(using_directive !name (qualified_name) @group (#set! hoisted))
(using_directive !name (generic_name . (identifier) @use.type))
(using_directive name: (identifier) @define.any)
(namespace_declaration name: (identifier) @define.any)
(namespace_declaration name: (qualified_name qualifier: (identifier) @define.any))
(namespace_declaration name: (qualified_name qualifier: (qualified_name
  qualifier: (identifier) @define.any)))
(namespace_declaration name: (qualified_name qualifier: (qualified_name qualifier: (qualified_name
  qualifier: (identifier) @define.any))))
(file_scoped_namespace_declaration name: (identifier) @define.any)
(file_scoped_namespace_declaration name: (qualified_name qualifier: (identifier) @define.any))
(file_scoped_namespace_declaration name: (qualified_name qualifier: (qualified_name
  qualifier: (identifier) @define.any)))
(file_scoped_namespace_declaration name: (qualified_name qualifier: (qualified_name
  qualifier: (qualified_name qualifier: (identifier) @define.any))))

; Types. A class doesn't have what the interfaces have that it implements.
(class_declaration) @scope
(struct_declaration) @scope
(interface_declaration) @scope
(record_declaration) @scope
(enum_declaration) @scope
(delegate_declaration) @scope
(class_declaration name: (identifier) @owner)
(struct_declaration name: (identifier) @owner)
(record_declaration name: (identifier) @owner)
(interface_declaration name: (identifier) @owner (#set! outside))
; The parts of a class see each other's members.
(class_declaration (modifier "partial") name: (identifier) @base)
(struct_declaration (modifier "partial") name: (identifier) @base)
(class_declaration name: (identifier) @define.type (#set! outside) (#set! without "Attribute"))
(struct_declaration name: (identifier) @define.type (#set! outside))
(interface_declaration name: (identifier) @define.type (#set! outside))
(record_declaration name: (identifier) @define.type (#set! outside))
(enum_declaration name: (identifier) @define.type (#set! outside))
(delegate_declaration name: (identifier) @define.type (#set! outside))
(base_list (identifier) @base)
(base_list (generic_name . (identifier) @base))
(base_list (qualified_name) @base)
(primary_constructor_base_type type: (identifier) @base)
(primary_constructor_base_type type: (generic_name . (identifier) @base))
(type_parameter name: (identifier) @define.type)
(enum_member_declaration name: (identifier) @define.value)

; Members.
(method_declaration) @scope
(constructor_declaration) @scope
(destructor_declaration) @scope
(operator_declaration) @scope
(conversion_operator_declaration) @scope
(indexer_declaration) @scope
((accessor_declaration) @scope (#set! binds "value"))
(arrow_expression_clause) @scope
(method_declaration name: (identifier) @define.value (#set! outside))
(constructor_declaration name: (identifier) @ignore)
(destructor_declaration name: (identifier) @ignore)
(property_declaration name: (identifier) @define.value)
(event_declaration name: (identifier) @define.value)
(parameter name: (identifier) @define.value)
(parameter_list name: (identifier) @define.value)
(bracketed_parameter_list name: (identifier) @define.value)
(variable_declarator name: (identifier) @define.value)
(field_declaration (variable_declaration (variable_declarator name: (identifier) @define.value
  (#set! hoisted))))

; Statements.
((block) @scope (#set! ordered))
((switch_body) @scope (#set! ordered))
((for_statement) @scope (#set! ordered))
((using_statement) @scope (#set! ordered))
(fixed_statement) @scope
(foreach_statement) @scope
(while_statement) @scope
(catch_clause) @scope
(local_function_statement) @scope
(local_function_statement name: (identifier) @define.value (#set! outside) (#set! hoisted))
(foreach_statement left: (identifier) @define.value)
(tuple_pattern name: (identifier) @define.value)
(catch_declaration name: (identifier) @define.value)

; Expressions.
(lambda_expression) @scope
(anonymous_method_expression) @scope
(query_expression) @scope
(switch_expression_arm) @scope
(implicit_parameter) @define.value
(declaration_expression name: (identifier) @define.value)
(declaration_pattern name: (identifier) @define.value)
(recursive_pattern name: (identifier) @define.value)
(var_pattern name: (identifier) @define.value)
(list_pattern name: (identifier) @define.value)
(parenthesized_variable_designation name: (identifier) @define.value)
(from_clause name: (identifier) @define.value)
(join_clause (identifier) @define.value . "in")
(join_into_clause (identifier) @define.value)
(let_clause . (identifier) @define.value)
(query_expression "into" . (identifier) @define.value)

; What C++ programs bind and use. The captures are explained in braces/names.rs. Types, values and
; functions share one space.

(identifier) @use.any
(type_identifier) @use.any
(namespace_identifier) @use.any
(primitive_type) @use.any
(null) @use.any

; Names that nothing around binds: what stands after `::`, attributes, conditions of directives.
(qualified_identifier scope: (_) name: (identifier) @ignore)
(qualified_identifier scope: (_) name: (type_identifier) @ignore)
(qualified_identifier scope: (_) name: (template_function name: (identifier) @ignore))
(qualified_identifier scope: (_) name: (template_type name: (type_identifier) @ignore))
(qualified_identifier scope: (_) name: (qualified_identifier scope: (namespace_identifier) @ignore))
(qualified_identifier scope: (_) name: (qualified_identifier scope: (template_type
  name: (type_identifier) @ignore)))
(dependent_name (template_function name: (identifier) @ignore))
(dependent_name (template_type name: (type_identifier) @ignore))
(nested_namespace_specifier (namespace_identifier) (namespace_identifier) @ignore)
(attribute name: (identifier) @ignore)
(attribute prefix: (identifier) @ignore)
(attribute_specifier (argument_list (identifier) @ignore))
(attribute_specifier (argument_list (call_expression function: (identifier) @ignore)))
(ms_declspec_modifier (identifier) @ignore)
(friend_declaration (type_identifier) @ignore)
(preproc_ifdef name: (identifier) @ignore)
(preproc_elifdef name: (identifier) @ignore)
(preproc_defined (identifier) @ignore)
(preproc_params (identifier) @ignore)
(preproc_if condition: (identifier) @ignore)
(preproc_if condition: (_ (identifier) @ignore))
(preproc_if condition: (_ (_ (identifier) @ignore)))
(preproc_elif condition: (identifier) @ignore)
(preproc_elif condition: (_ (identifier) @ignore))

; What is used of the standard library by its whole name.
((qualified_identifier scope: (namespace_identifier) @start name: [
  (identifier) @use.any
  (type_identifier) @use.any
  (template_function name: (identifier) @use.any)
  (template_type name: (type_identifier) @use.any)
  (qualified_identifier scope: (namespace_identifier) @use.any)
  (qualified_identifier scope: (template_type name: (type_identifier) @use.any))
]) (#any-of? @start "std" "__gnu_pbds"))

; Headers and namespaces.
(preproc_include path: (_) @group)
(using_declaration "namespace" (identifier) @prefix)
(using_declaration "namespace" (qualified_identifier) @prefix)
(using_declaration "namespace" (identifier) @base)
((using_declaration "namespace" (qualified_identifier name: (identifier) @base) @prefix)
  (#not-match? @prefix "^std::"))
(namespace_definition) @scope
(namespace_definition name: (namespace_identifier) @define.any (#set! outside))
(namespace_definition name: (namespace_identifier) @owner)
(namespace_definition name: (namespace_identifier) @base)
(namespace_definition name: (namespace_identifier) @prefix)
(namespace_definition name: (nested_namespace_specifier . (namespace_identifier) @define.any)
  (#set! outside))
(namespace_definition name: (nested_namespace_specifier (namespace_identifier) @owner))
(namespace_definition name: (nested_namespace_specifier (namespace_identifier) @base))
(namespace_alias_definition name: (namespace_identifier) @define.any)

; One name of a namespace. That it is there is asked of the whole name.
(using_declaration . (qualified_identifier name: (identifier) @define.any) .)
(using_declaration . (qualified_identifier name: (qualified_identifier
  name: (identifier) @define.any)) .)
((using_declaration . (qualified_identifier scope: (namespace_identifier) @start) @use.any .)
  (#eq? @start "std"))

; Classes.
(class_specifier name: (_)) @scope
(struct_specifier name: (_)) @scope
(union_specifier name: (_)) @scope
(class_specifier name: (type_identifier) @define.any (#set! outside))
(struct_specifier name: (type_identifier) @define.any (#set! outside))
(union_specifier name: (type_identifier) @define.any (#set! outside))
(class_specifier name: (type_identifier) @owner)
(struct_specifier name: (type_identifier) @owner)
(union_specifier name: (type_identifier) @owner)
(base_class_clause (type_identifier) @base)
(base_class_clause (template_type name: (type_identifier) @base))
(base_class_clause (qualified_identifier) @base)
(field_declaration declarator: (field_identifier) @define.any)
(pointer_declarator declarator: (field_identifier) @define.any)
(array_declarator declarator: (field_identifier) @define.any)
(reference_declarator (field_identifier) @define.any)

; Enumerations: what a plain one names is seen around it.
(enum_specifier ["class" "struct"]) @scope
(enum_specifier name: (type_identifier) @define.any)
(enum_specifier ["class" "struct"] name: (type_identifier) @define.any (#set! outside))
(enumerator name: (identifier) @define.any)

; Templates.
((template_declaration) @scope (#set! thin))
(type_parameter_declaration (type_identifier) @define.any)
(optional_type_parameter_declaration name: (type_identifier) @define.any)
(variadic_type_parameter_declaration (type_identifier) @define.any)
(concept_definition name: (identifier) @define.any (#set! outside))
(requires_expression) @scope

; Variables, parameters, types.
(declaration declarator: (identifier) @define.any)
(init_declarator declarator: (identifier) @define.any)
(parameter_declaration declarator: (identifier) @define.any)
(optional_parameter_declaration declarator: (identifier) @define.any)
(pointer_declarator declarator: (identifier) @define.any)
(array_declarator declarator: (identifier) @define.any)
(for_range_loop declarator: (identifier) @define.any)
(type_definition declarator: (type_identifier) @define.any)
(pointer_declarator declarator: (type_identifier) @define.any)
(array_declarator declarator: (type_identifier) @define.any)
(reference_declarator (identifier) @define.any)
(parenthesized_declarator (identifier) @define.any)
(variadic_declarator (identifier) @define.any)
(attributed_declarator . (identifier) @define.any)
(structured_binding_declarator (identifier) @define.any)
(alias_declaration name: (type_identifier) @define.any)
(template_declaration (alias_declaration name: (type_identifier) @define.any (#set! outside)))
(template_declaration (declaration declarator: (init_declarator
  declarator: (identifier) @define.any (#set! outside))))
(preproc_def name: (identifier) @define.any (#set! global))
(preproc_function_def name: (identifier) @define.any (#set! global))

; Functions. The parameters of one that is only declared are in a scope of its declarator.
((function_definition) @scope (#set! function))
(declaration declarator: (function_declarator) @scope)
(declaration declarator: (_ (function_declarator) @scope))
(field_declaration declarator: (function_declarator) @scope)
(field_declaration declarator: (_ (function_declarator) @scope))
(parameter_declaration declarator: (function_declarator) @scope)
(type_definition declarator: (function_declarator) @scope)
(function_declarator declarator: (identifier) @define.any (#set! outside))
(function_declarator declarator: (field_identifier) @define.any (#set! outside))
(function_declarator declarator: (type_identifier) @define.any (#set! outside))
(function_declarator declarator: (parenthesized_declarator (_
  declarator: [(identifier) (field_identifier) (type_identifier)] @define.any)) (#set! outside))

; A member that is defined outside of its class sees the others.
(function_declarator declarator: (qualified_identifier scope: (namespace_identifier) @base))
(function_declarator declarator: (qualified_identifier scope: (template_type
  name: (type_identifier) @base)))
(function_declarator declarator: (qualified_identifier name: (qualified_identifier
  scope: (namespace_identifier) @base)))

; Statements.
((lambda_expression) @scope (#set! function))
(lambda_capture_initializer left: (identifier) @define.any)
((compound_statement) @scope (#set! ordered))
((for_statement) @scope (#set! ordered))
(for_range_loop) @scope
(if_statement) @scope
(while_statement) @scope
(switch_statement) @scope
(catch_clause) @scope

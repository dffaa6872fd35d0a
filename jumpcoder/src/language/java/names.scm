; What Java's programs bind and use. The captures are explained in braces/names.rs.

(identifier) @use.value
(type_identifier) @use.type

; Names that nothing around binds: what stands after a dot, labels, keys.
(field_access field: (identifier) @ignore)
(method_invocation object: (_) name: (identifier) @ignore)
(method_reference (_) (identifier) @ignore .)
(scoped_identifier name: (identifier) @ignore)
(scoped_type_identifier (_) (type_identifier) @ignore)
(labeled_statement . (identifier) @ignore)
(break_statement (identifier) @ignore)
(continue_statement (identifier) @ignore)
(element_value_pair key: (identifier) @ignore)
(receiver_parameter (identifier) @ignore)
(module_declaration (identifier) @ignore)

; The constants of a switch belong to the enum, which isn't known; others are fields.
(switch_label (identifier) @ignore)

; Before a dot, it may be a variable, a class, a package.
(field_access object: (identifier) @use.any)
(method_invocation object: (identifier) @use.any)
(method_reference . (identifier) @use.any)
(scoped_identifier scope: (identifier) @use.any)
(scoped_type_identifier . (type_identifier) @use.any)
(method_invocation !object name: (identifier) @use.function)
(marker_annotation name: (identifier) @use.type)
(annotation name: (identifier) @use.type)
(record_pattern . (identifier) @use.type)

; Packages and imports.
(package_declaration (identifier) @ignore)
(package_declaration (scoped_identifier (identifier) @ignore))
(package_declaration (scoped_identifier (scoped_identifier (identifier) @ignore)))
(package_declaration (scoped_identifier (scoped_identifier (scoped_identifier (identifier) @ignore))))
(import_declaration (identifier) @ignore)
(import_declaration (scoped_identifier scope: (identifier) @ignore))
(import_declaration (scoped_identifier (scoped_identifier (identifier) @ignore)))
(import_declaration (scoped_identifier (scoped_identifier (scoped_identifier (identifier) @ignore))))
(import_declaration (scoped_identifier (scoped_identifier (scoped_identifier (scoped_identifier
  (identifier) @ignore)))))
(import_declaration (scoped_identifier name: (identifier) @define.any) .)
(import_declaration (scoped_identifier name: (identifier) @ignore) (asterisk))
(import_declaration (_) @group (asterisk))

; Classes.
(class_declaration) @scope
(interface_declaration) @scope
(enum_declaration) @scope
(record_declaration) @scope
(annotation_type_declaration) @scope
(object_creation_expression (class_body)) @scope
(class_declaration name: (identifier) @owner)
(interface_declaration name: (identifier) @owner)
(enum_declaration name: (identifier) @owner)
(record_declaration name: (identifier) @owner)
(object_creation_expression type: (type_identifier) @base (class_body) .)
(object_creation_expression type: (generic_type . (type_identifier) @base) (class_body) .)
(class_declaration name: (identifier) @define.type (#set! outside))
(interface_declaration name: (identifier) @define.type (#set! outside))
(enum_declaration name: (identifier) @define.type (#set! outside))
(record_declaration name: (identifier) @define.type (#set! outside))
(annotation_type_declaration name: (identifier) @define.type (#set! outside))
(superclass (type_identifier) @use.type (#set! outside))
(superclass (generic_type . (type_identifier) @use.type) (#set! outside))
(super_interfaces (type_list (type_identifier) @use.type) (#set! outside))
(super_interfaces (type_list (generic_type . (type_identifier) @use.type)) (#set! outside))
(extends_interfaces (type_list (type_identifier) @use.type) (#set! outside))
(extends_interfaces (type_list (generic_type . (type_identifier) @use.type)) (#set! outside))
(superclass (type_identifier) @base)
(superclass (generic_type . (type_identifier) @base))
(superclass (scoped_type_identifier) @base)
(superclass (generic_type . (scoped_type_identifier) @base))
(super_interfaces (type_list (type_identifier) @base))
(super_interfaces (type_list (generic_type . (type_identifier) @base)))
(extends_interfaces (type_list (type_identifier) @base))
(extends_interfaces (type_list (generic_type . (type_identifier) @base)))
(type_parameter . (type_identifier) @define.type)
(enum_constant name: (identifier) @define.value)

; Members.
(method_declaration) @scope
(constructor_declaration) @scope
(compact_constructor_declaration) @scope
(method_declaration name: (identifier) @define.function (#set! outside))
(constructor_declaration name: (identifier) @ignore)
(compact_constructor_declaration name: (identifier) @ignore)
(annotation_type_element_declaration name: (identifier) @define.function)
(variable_declarator name: (identifier) @define.value)
(field_declaration (variable_declarator name: (identifier) @define.value (#set! hoisted)))
(constant_declaration (variable_declarator name: (identifier) @define.value (#set! hoisted)))
(formal_parameter name: (identifier) @define.value)
(record_declaration parameters: (formal_parameters (formal_parameter name: (identifier)
  @define.any)))

; Statements.
((block) @scope (#set! ordered))
((constructor_body) @scope (#set! ordered))
((switch_block) @scope (#set! ordered))
((for_statement) @scope (#set! ordered))
(enhanced_for_statement) @scope
(enhanced_for_statement name: (identifier) @define.value)
(lambda_expression) @scope
(lambda_expression parameters: (identifier) @define.value)
(inferred_parameters (identifier) @define.value)
(catch_clause) @scope
(catch_formal_parameter name: (identifier) @define.value)
((try_with_resources_statement) @scope (#set! ordered))
(resource name: (identifier) @define.value)
(instanceof_expression name: (identifier) @define.value (#set! in-function))
(type_pattern (identifier) @define.value)
(record_pattern_component (identifier) @define.value (#set! in-function))

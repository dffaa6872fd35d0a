; What PHP's programs bind and use; functions that define their arguments are in references.scm. The
; captures are explained in braces/names.rs. Variables have their `$`.

; Variables belong to functions, which see none around them, and are seen after their assignment.
; What may be left undefined is no use: what isset() asks, what `??` replaces.
(variable_name) @use.value
(assignment_expression left: (variable_name) @define.value) @from
(assignment_expression left: (subscript_expression . (variable_name) @define.value)) @from
(assignment_expression left: (subscript_expression .
  (subscript_expression . (variable_name) @define.value))) @from
(assignment_expression left: (subscript_expression . (subscript_expression .
  (subscript_expression . (variable_name) @define.value)))) @from
(augmented_assignment_expression left: (variable_name) @define.value operator: "??=")
(reference_assignment_expression left: (variable_name) @define.value)
(reference_assignment_expression right: (variable_name) @define.value)
(list_literal (variable_name) @define.value)
(list_literal (by_ref (variable_name) @define.value))
(foreach_statement "as" . (variable_name) @define.value)
(foreach_statement (by_ref (variable_name) @define.value))
(foreach_statement (pair (variable_name) @define.value))
(foreach_statement (pair (by_ref (variable_name) @define.value)))
(foreach_statement "as" . (array_creation_expression
  (array_element_initializer (variable_name) @define.value)))
(foreach_statement (pair (array_creation_expression
  (array_element_initializer (variable_name) @define.value))))
(catch_clause name: (variable_name) @define.value)
(static_variable_declaration name: (variable_name) @define.value)
(global_declaration (variable_name) @define.value)
(unset_statement (variable_name) @ignore)
(function_call_expression function: (name) @_function
  arguments: (arguments (argument (variable_name) @ignore))
  (#any-of? @_function "isset" "empty"))
(function_call_expression function: (name) @_function
  arguments: (arguments (argument (subscript_expression . (variable_name) @ignore)))
  (#any-of? @_function "isset" "empty"))
(binary_expression left: (variable_name) @ignore operator: "??")
(binary_expression left: (subscript_expression . (variable_name) @ignore) operator: "??")
(property_element name: (variable_name) @ignore)
(scoped_property_access_expression name: (variable_name) @ignore)

; What can't be known: the names of variables that are made up, and what other files bring. Their
; classes count as missing, as imports and an autoloader bring them by their full names.
(dynamic_variable_name) @any.value
((function_call_expression function: (name) @any.value)
  (#any-of? @any.value "extract" "eval" "parse_str"))
((include_expression) @any.value @any.function @any.constant
  (#not-match? @any.value "autoload"))
((include_once_expression) @any.value @any.function @any.constant
  (#not-match? @any.value "autoload"))
((require_expression) @any.value @any.function @any.constant
  (#not-match? @any.value "autoload"))
((require_once_expression) @any.value @any.function @any.constant
  (#not-match? @any.value "autoload"))

; Functions.
((function_definition) @scope (#set! function) (#set! ordered) (#set! hides "value"))
((method_declaration) @scope (#set! function) (#set! ordered) (#set! hides "value"))
((anonymous_function) @scope (#set! function) (#set! ordered) (#set! hides "value"))
((arrow_function) @scope (#set! function))
(function_definition name: (name) @define.function (#set! global) (#set! hoisted))
(simple_parameter name: (variable_name) @define.value)
(variadic_parameter name: (variable_name) @define.value)
(property_promotion_parameter name: (variable_name) @define.value)
(property_promotion_parameter name: (by_ref (variable_name) @define.value))
(anonymous_function_use_clause (variable_name) @capture.value)
(anonymous_function_use_clause (by_ref (variable_name) @define.value))
(function_call_expression function: (name) @use.function)

; Classes.
(class_declaration name: (name) @define.type (#set! global) (#set! hoisted))
(interface_declaration name: (name) @define.type (#set! global) (#set! hoisted))
(trait_declaration name: (name) @define.type (#set! global) (#set! hoisted))
(enum_declaration name: (name) @define.type (#set! global) (#set! hoisted))
(named_type (name) @use.type)
(base_clause (name) @use.type)
(class_interface_clause (name) @use.type)
(use_declaration (name) @use.type)
(attribute . (name) @use.type)
(object_creation_expression . (name) @use.type)
(class_constant_access_expression . (name) @use.type)
(scoped_call_expression scope: (name) @use.type)
(scoped_property_access_expression scope: (name) @use.type)

; Constants.
(primary_expression/name) @use.constant
(binary_expression operator: "instanceof" right: (name) @use.type)
(const_declaration (const_element . (name) @define.constant) (#set! global) (#set! hoisted))
(declaration_list (const_declaration (const_element . (name) @ignore)))
(enum_declaration_list (const_declaration (const_element . (name) @ignore)))
((function_call_expression
  function: (name) @_define
  arguments: (arguments . (argument (_ (string_content) @define.constant))))
  (#set! global) (#set! hoisted)
  (#eq? @_define "define"))

; Namespaces. An import is seen from there on, and only the functions and constants of PHP itself
; are seen in a namespace without one.
(namespace_definition name: (_) @closed.type)
(namespace_use_clause (name) @define.type)
(namespace_use_clause (qualified_name (name) @define.type .))
(namespace_use_clause (qualified_name (name) @ignore .) alias: (_))
(namespace_use_clause alias: (name) @define.type)
(namespace_use_clause type: "function" (name) @define.function)
(namespace_use_clause type: "function" (qualified_name (name) @define.function .))
(namespace_use_clause type: "function" (qualified_name (name) @ignore .) alias: (_))
(namespace_use_clause type: "function" alias: (name) @define.function)
(namespace_use_clause type: "const" (name) @define.constant)
(namespace_use_clause type: "const" (qualified_name (name) @define.constant .))
(namespace_use_declaration type: "function" (namespace_use_group
  (namespace_use_clause (name) @define.function)))
(namespace_use_declaration type: "const" (namespace_use_group
  (namespace_use_clause (name) @define.constant)))
(namespace_use_clause . (name) @ignore alias: (_))

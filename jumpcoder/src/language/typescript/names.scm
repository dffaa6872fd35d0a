; What only TypeScript's grammar says so; the rest is in javascript/common.scm. A name can be a
; value, a type, or both.

(type_identifier) @use.type

; Names that nothing around binds, and those in front of a dot.
(nested_type_identifier name: (type_identifier) @ignore)
(nested_type_identifier module: (identifier) @use.any)
(nested_identifier object: (identifier) @use.any)
(index_signature name: (identifier) @ignore)
(required_parameter name: (identifier) @ignore)
(optional_parameter name: (identifier) @ignore)
(required_parameter name: (rest_pattern (identifier) @ignore))
(export_statement "as" "namespace" (identifier) @ignore)

; Modules.
(import_require_clause (identifier) @define.any)
(import_alias . (identifier) @define.any)
(import_alias (identifier) @use.any .)
((internal_module) @scope (#set! function))
((module) @scope (#set! function))
(internal_module name: (identifier) @define.any (#set! outside))
(module name: (identifier) @define.any (#set! outside))
(internal_module name: (nested_identifier object: (identifier) @define.any) (#set! outside))
(module name: (nested_identifier object: (identifier) @define.any) (#set! outside))

; Functions.
((function_signature) @scope (#set! function))
((method_signature) @scope (#set! function))
((abstract_method_signature) @scope (#set! function))
((call_signature) @scope (#set! function))
((construct_signature) @scope (#set! function))
((function_type) @scope (#set! function))
((constructor_type) @scope (#set! function))
(function_signature name: (identifier) @define.value (#set! outside))
(required_parameter pattern: (identifier) @define.value)
(optional_parameter pattern: (identifier) @define.value)

; Types.
(abstract_class_declaration) @scope
(interface_declaration) @scope
(type_alias_declaration) @scope
(enum_declaration) @scope
(conditional_type) @scope
(index_signature) @scope
(class_declaration name: (type_identifier) @define.any (#set! outside))
(abstract_class_declaration name: (type_identifier) @define.any (#set! outside))
(class name: (type_identifier) @define.any)
(interface_declaration name: (type_identifier) @define.type (#set! outside))
(type_alias_declaration name: (type_identifier) @define.type (#set! outside))
(enum_declaration name: (identifier) @define.any (#set! outside))
(enum_body name: (property_identifier) @define.value)
(enum_assignment name: (property_identifier) @define.value)
(type_parameter name: (type_identifier) @define.type)
(infer_type . (type_identifier) @define.type)
(mapped_type_clause name: (type_identifier) @define.type)

; What only JavaScript's grammar says so; the rest is in common.scm.

(formal_parameters (identifier) @define.value)
(class_declaration name: (identifier) @define.value (#set! outside))
(class name: (identifier) @define.value)
(for_in_statement kind: "using" left: (identifier) @define.value)

; Elements of HTML are lower case, components aren't.
(jsx_opening_element name: (identifier) @ignore (#match? @ignore "^[a-z]"))
(jsx_self_closing_element name: (identifier) @ignore (#match? @ignore "^[a-z]"))
(jsx_closing_element (identifier) @ignore)
(jsx_closing_element (member_expression (identifier) @ignore))
(jsx_namespace_name (identifier) @ignore)

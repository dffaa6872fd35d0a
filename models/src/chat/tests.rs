//! Texts that transformers 5.24 makes of the same templates.

use super::*;

const MESSAGE: &str = "Question: <é>\n'x'";

/// Templates, and what `apply_chat_template` makes of them for the message of a user.
const VECTORS: [(&str, &str); 4] = [
    (
        concat!(
            "{{ bos_token }}{% for message in messages %}[{{ message['role'] | upper }}",
            "] {{ message.content.strip() }}{{ eos_token }}{% endfor %}",
            "{% if add_generation_prompt %}[ASSISTANT]{% endif %}",
        ),
        "<s>[USER] Question: <é>\n'x'</s>[ASSISTANT]",
    ),
    (
        concat!(
            "{%- set ns = namespace(system='none') -%}\n",
            "{%- for m in messages if m['role'] == 'system' %}\n",
            "    {%- set ns.system = m.content %}\n{%- endfor %}\n<<{{ ns.system }}>>\n",
            "{% for m in messages %}\n    {% if m['role'] == 'user' %}\n",
            "user {{ loop.index0 }}/{{ loop.length }}: {{ m['content'] | trim }}\n",
            "    {% endif %}\n{% endfor %}\n",
            "{{- 'assistant: ' if add_generation_prompt else '' -}}\n",
        ),
        "<<none>>\nuser 0/1: Question: <é>\n'x'\nassistant: ",
    ),
    (
        concat!(
            "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}",
            "{% endif %}{% for m in messages %}{% if m.content.startswith('Q') %}",
            "{{ 'Q!' }}{% break %}{% endif %}{% endfor %}\n\n",
            "{{ '\\n### Response:\\n' ",
            "if add_generation_prompt is defined and add_generation_prompt }",
            "}",
        ),
        "Q!\n\n### Response:\n",
    ),
    (
        concat!(
            "{% if tools is none and not documents %}no tools {% endif %}",
            "{{ messages[-1]['content'].split('\\n')[0] }}",
            "|{{ messages[0].get('name', 'nobody') }}|{{ messages|length ~ '!' }}",
            "{% macro end() %}<end>{% endmacro %}{{ end() }}",
        ),
        "no tools Question: <é>|nobody|1!<end>",
    ),
];

fn template(source: &str) -> ChatTemplate {
    let tokens = [("bos_token", "<s>"), ("eos_token", "</s>")];
    let tokens = tokens.map(|(name, token)| (name.to_owned(), token.to_owned()));
    ChatTemplate::new(source.to_owned(), BTreeMap::from(tokens))
}

#[test]
fn conversations_are_as_transformers_writes_them() {
    for (source, expected) in VECTORS {
        assert_eq!(template(source).render(MESSAGE).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn templates_that_fail_say_why() {
    let loops = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
    let long = "{% for a in range(999) %}{{ 'aaaaaaaaaa' * 9999 }}{% endfor %}";
    let recursive = "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}";
    let table = [
        ("{{ raise_exception('only for friends') }}", "only for friends"),
        ("{% for %}", "syntax error"),
        ("{{ nothing.at.all }}", "undefined value"),
        (loops, "fuel"),
        (long, "more than a mebibyte"),
        (recursive, "its chat template fails"),
        (&"{{ ".repeat(100_000), "its chat template fails"),
        (&"(".repeat(100_000), ""),
        (&format!("{{{{ {} }}}}", "(".repeat(100_000)), "its chat template fails"),
    ];
    for (source, expected) in table {
        match template(source).render(MESSAGE) {
            Ok(text) => assert!(expected.is_empty() && text == source, "{text}"),
            Err(error) => assert!(error.contains(expected), "{error}"),
        }
    }
}

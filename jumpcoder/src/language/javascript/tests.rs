//! What JavaScript makes of whole, unfinished and broken programs.

use crate::language::InfillKind::{Control, Function, Import, Statement};
use crate::language::checks;
use crate::language::javascript::JAVASCRIPT;

fn check(program: &str, undefined: &str) {
    checks::check(&JAVASCRIPT, program, undefined);
}

#[test]
fn finds_undefined_names() {
    check("function f(x) { return x + y; }\n", "y");
    check("f(g);\nfunction f() {}\nvar g;\n", "");
    check("const f = (a, b = a, ...c) => a + b + c + d;\n", "d");
    check("const f = x => { return x * z; };\nx;\n", "x z");
    check("function* f() { yield* g(); }\nasync function h() { await f(i); }\n", "g i");
    check("const f = function g(n) { return g(n - 1); };\ng();\n", "g");
    check("a.b(c).d[e]?.f(g);\n", "a c e g");
    check("x = 1;\ny += 2;\n", "x y");
    check("l: for (;;) { break l; }\n", "");
    check("const o = { a, b: c, d() { return e; }, [f]: 1, get g() { return 1; } };\n", "a c e f");
    check("new Foo(undefined, NaN, globalThis, this.x);\n", "Foo");
    check("typeof x === 'y' && z;\n", "x z");
    check("arguments;\nfunction f() { return () => arguments.length; }\n", "arguments");
    check(
        "console.log(process.env, require('fs'), module.exports, __dirname, window);\n",
        "window",
    );
}

#[test]
fn knows_scopes() {
    check("{ let a; const b = 1; var c; function d() {} class E {} }\na; b; c; d; E;\n", "E a b d");
    check("function f() { if (x) { var y = 1; } return y; }\ny;\n", "x y");
    check("for (let i = 0; i < n; i++) {}\ni;\nfor (var j = 0;;) {}\nj;\n", "i n");
    check(
        "for (const x of xs) { x; }\nfor (var y in ys) {}\ny; x;\nfor (z of ys) {}\n",
        "x xs ys z",
    );
    check("try { a(); } catch (e) { e; } finally { e; }\ntry {} catch { e; }\n", "a e");
    check("try {} catch ({ message }) { message; }\n", "");
    check("switch (a) { case b: let c = 1; break; default: c; }\nc;\n", "a b c");
    check(
        "class A extends B { #p = q; static { var s = A; } m(x) { return this.#p + x + s; } }\n",
        "B q s",
    );
    check("const C = class D { m() { return D; } };\nD;\n", "D");
}

#[test]
fn takes_patterns_apart() {
    check("const { a, b: c, d = e, f: { g }, ...h } = i;\na; b; c; d; f; g; h;\n", "b e f i");
    check("let [a, , [b], c = d, ...e] = f;\na; b; c; e;\n", "d f");
    check("function f({ a, b: [c] }, [d, { e }] = g) { return a + b + c + d + e; }\n", "b g");
    check("const f = ({ a }) => a;\nconst h = async ([b]) => b;\n", "");
    check("function f() { { var { a, b: c } = 1; var [d] = 2; } return a + c + d; }\n", "");
    check("for (const [k, v] of Object.entries(o)) { k + v; }\n", "o");
    check("[a, b[0], ...c] = [1];\n({ d, e: f, g = 1, ...h } = {});\n", "a b c d f g h");
}

#[test]
fn knows_modules() {
    check("import a, { b, c as d, default as e } from 'm';\na; b; c; d; e;\n", "c");
    check("import * as f from 'f';\nimport 'g';\nf.x; g;\n", "g");
    check("export { a, b as c };\nexport * from 'd';\nexport { e } from 'f';\n", "a b");
    check("export const x = 1;\nexport default function f() { return g(x); }\n", "g");
    check("import('x').then(y);\nimport.meta.url;\n", "y");
}

#[test]
fn tells_templates_and_expressions() {
    check("`a ${b} } { ${`c ${d + `${e}`}`}`;\n", "b d e");
    check("const x = /[/(]a\\/{/g.test(y) ? 1 / z : /(/;\n", "y z");
    check("x++ / 2;\nf(a) / b / c;\n", "a b c f x");
    check("const f = () => <A b={c}><d>{e}</d><G.H /></A>;\n", "A G c e");
}

#[test]
fn reads_unfinished_programs() {
    let head = "const fs = require('fs');\nfunction f(xs) {\n";
    check(head, "");
    check(&format!("{head}  for (const x of xs) {{\n    y += x;\n"), "y");
    check(&format!("{head}  return g(xs[0],\n"), "g");
    check(&format!("{head}  return {{ a: b, c\n"), "b c");
    check(&format!("{head}  const s = `( ${{c + d.map(e => e +\n"), "c d");
    check(&format!("{head}  const s = `(' \\\n"), "");
    check(&format!("{head}  const r = /[(\n"), "");
    check(&format!("{head}  xs.map(x => {{\n    return x + h\n"), "h");
    check(&format!("{head}  /* not code: z(\n"), "");
    check(&format!("{head}  return x\n"), "x");
}

#[test]
fn tells_comments() {
    let check = |program, marks| checks::check_comments(&JAVASCRIPT, program, marks);
    check("// a\nx; // b\n\n/* c\n d */\n/* e */ y;\n", "#..##.");
    check("s = `\n  a // b\n  ${c /* ` */}`;\nx = '`'; // c\n", ".##.");
}

#[test]
fn classifies_infills() {
    let check = |infills: &[&str], kind| {
        for infill in infills {
            checks::check_kind(&JAVASCRIPT, infill, kind);
        }
    };
    check(
        &[
            "import a from 'b';\n",
            "import { a } from 'b'\n",
            "const a = require('b');\n",
            "  var { a } = require('b').c\n",
            "import 'a';\n",
        ],
        Import,
    );
    check(
        &[
            "function f(x) {\n",
            "async function f(x)\n",
            "export default function f(x) {\n",
            "export const f = (x) => {\n",
            "const f = (x) => x + 1\n",
            "let f = async x =>\n",
            "var f = function* (x) {\n",
        ],
        Function,
    );
    check(&["for (;;) {\n", "  if (x) y();\n", "} else {\n", "try {\n", "switch (x) {\n"], Control);
    check(
        &[
            "const x = f(y => y);\n",
            "f(x)\n",
            "return x\n",
            "format(x)\n",
            "xs.map(x => x)\n",
            "class B {\n",
            "const f = require\n",
            "",
        ],
        Statement,
    );
}

#[test]
fn sees_where_a_function_ends() {
    let check = |function, rest| checks::check_function(&JAVASCRIPT, function, rest);
    check("function f(x) {\n  return x\n}\n", "f");
    check("const f = (x) =>\n{\n  if (x) { y('}') }\n}\n", "");
    check("const f = (x) => `${x}\n}` + x;\n", "");
    check("const f = x => x\n", "\n// g\ng");
    check("const f = x => x\n  .map(y)\n", "g");
    check("const f = x =>\n  x\n", "\nconst");
}

#[test]
fn judges_insertions() {
    let program = "function f(xs) {\n  const t = g(xs);\n  return fs.x(t);\n";
    let check = |position, infill, defined| {
        checks::check_defined(&JAVASCRIPT, program, position, infill, defined);
    };
    check(0, "const fs = require('fs');\n", "fs");
    check(1, "  const fs = require('fs');\n", "fs");
    check(0, "import fs from 'fs';\n", "fs");
    check(0, "import * as path from 'path';\n", "");
    check(1, "import fs from 'fs';\n", "");
    check(0, "const g = (xs) => xs;\n", "g");
    check(2, "  function g(xs) {\n    return xs;\n  }\n", "g");
    check(0, "export function g(xs) { return xs; }\n", "g");
    check(1, "export function g(xs) { return xs; }\n", "");
    check(0, "function h(xs) { return xs; }\n", "");
    let program = "class A {\n  m() {\n    return g(1);\n  }\n}\n";
    checks::check_defined(&JAVASCRIPT, program, 1, "  const g = x => x;\n", "");
    checks::check_defined(&JAVASCRIPT, program, 1, "  function g(x) { return x; }\n", "");
    checks::check_defined(&JAVASCRIPT, program, 2, "    const g = x => x;\n", "g");
    checks::check_defined(&JAVASCRIPT, program, 5, "const g = x => x\n", "g");
}

#[test]
fn survives() {
    checks::check_survives(
        &JAVASCRIPT,
        "import a, { b as c } from 'd';\nexport class E extends F { static #g = /[/]\\/h/i; \
         get j() { return `k${l ? `m${n}` : 'o'}\\``; } }\nfor (const [p, { q = 1, ...r }] of s) { \
         t: while (1) continue t; }\nasync function* u(v) { await (yield* v?.w(...x)); } // é\n\
         const y = <z a={b}/>;\n",
    );
}

//! What Rust makes of whole, unfinished and broken programs.

use crate::language::InfillKind::{Control, Function, Import, Statement};
use crate::language::checks;
use crate::language::rust::RUST;

fn check(program: &str, undefined: &str) {
    checks::check(&RUST, program, undefined);
}

/// Checks statements of a function that has the parameters `a` and `b`.
fn check_body(statements: &str, undefined: &str) {
    check(&format!("fn f(a: i32, b: i32) -> i32 {{\n{statements}\n}}\n"), undefined);
}

#[test]
fn finds_what_items_define() {
    check("fn f() { g(X, h); }\nfn g() {}\nconst X: T = Y;\nstatic Z: u8 = X;\n", "T Y h");
    check("struct A { x: B, y: Vec<C> }\nstruct D(A, E);\nstruct F;\ntype G = D;\n", "B C E");
    check(
        "struct A { x: i32 }\nstruct D(i32);\nstruct F;\nfn f() { A; D(1); F; A { x: y } }\n",
        "A y",
    );
    check("enum E { A, B(X), C { y: Y } }\nfn f() -> E { E::A; B(1) }\n", "B X Y");
    check(
        "trait T: U { type X; const C: i32; fn f(&self) -> Self::X; fn g() { f(C); } }\n",
        "C U f",
    );
    check(
        "impl T for S { type X = Y; fn f(&self, x: X) -> Self { Self::f(x); f() } }\n",
        "S T X Y f",
    );
    check(
        "mod m { fn f() { g(); h(); std::mem::take(x); } fn h() {} }\nfn g() { m::f(); h(); }\n",
        "g h x",
    );
    check("macro_rules! m { ($x:expr) => { y($x) } }\nfn f() { m!(z); n!(z); }\n", "n y");
    check("#[derive(Debug, Foo)]\n#[cfg(any(not(x), all(y)))]\n#[rustfmt::skip]\nstruct A;\n", "");
    check("extern crate x;\nextern crate y as z;\nfn f() { x::f(); y::f(); z::f(); }\n", "y");
    check("extern \"C\" { fn g(x: T); }\nfn f() { unsafe\n{ g(x) } }\n", "T x");
}

#[test]
fn finds_what_generics_define() {
    check(
        "fn f<'a, T: X, const N: usize>(x: &'a [T; N]) -> U where T: Y<Item = V> { N }\nfn g() \
         -> T {}\n",
        "T U V X Y",
    );
    check(
        "struct A<T>(T);\nimpl<K, V> A<HashMap<K, V>> { fn f<W>(x: K, y: W, z: T) {} }\n",
        "HashMap T",
    );
    check("fn f(x: &dyn Fn(A) -> B, y: impl C + 'static, z: fn(w: D)) { w }\n", "A B C D w");
}

#[test]
fn finds_what_imports_define() {
    check(
        "use std::collections::HashMap;\nfn f() { HashMap::new(); HashSet::new(); fmt::f(); }\n",
        "HashSet fmt",
    );
    check(
        "use std::{cmp::{max, self}, fmt, io::Read as R};\nfn f(x: R) { max(cmp::min(1), \
         fmt::Y); Read }\n",
        "Read",
    );
    check(
        "use std::collections::hash_map::{self, Entry};\nfn f(x: Entry) { hash_map::f(); HashMap \
         }\n",
        "HashMap",
    );
    check("use std::collections::*;\nfn f(x: HashMap) -> Foo {}\n", "Foo");
    check("use core::cmp::Ordering::*;\nfn f() { Less; Lesser }\n", "Lesser");
    check("use crate::x::*;\nfn f() { anything }\n", "");
    check("use self::m::g;\nuse super::h;\nuse crate::i;\nfn f() { g(h, i, m) }\n", "m");
    check("use rand::Rng;\nuse md5;\nfn f(x: Rng) { rand::f(); md5::f(); }\n", "rand");
    check("fn f() { use std::fmt; fmt::f(); }\nfn g() { fmt::f(); }\n", "fmt");
}

#[test]
fn finds_what_modules_show() {
    check("fn f() {}\nmod m { use super::*; fn g() { f(); h(); } }\n", "h");
    check("mod m { pub fn f() {} }\nuse m::*;\nfn g() { f(); h(); }\n", "h");
    // An import in a function shows what is around the module, not what is local around it.
    check("fn f() {}\nmod m { fn g() { use super::*; f(); h(); } fn i() { f(); } }\n", "f h");
    check("fn f() { let x = 1; fn g() { use super::*; x; } }\n", "x");
    check(
        "enum E { A, B(i32) }\nfn f(e: E) { use E::*; match e { A => C, B(x) => x, D(y) => y } }\n",
        "C D",
    );
    check("struct S;\nmod m { fn f(s: S) { super::g(s); } }\n", "S");
}

#[test]
fn finds_what_statements_define() {
    check_body("let x = a + x; let x = x; let (y, z): (T, U) = (y, b); z", "T U x y");
    check_body("let Some(x) = g(x) else { return x }; x", "g x");
    check_body("if let Some(x) = x { x } else { 0 }; x", "x");
    check_body("if let Some(x) = g() && let Some(y) = h(x, y) { y }", "g h y");
    check_body(
        "while let Some(top) = stack.pop() { top; } for (i, x) in i.iter() { i + x + j }",
        "i j stack",
    );
    check_body(
        "match c { X => X, Y(y) if y > z => y, Z { w, v: u, .. } => w + v + u, p @ (1 | 2) => p, \
         q | q => q }",
        "Y Z c v z",
    );
    check_body(
        "match a { N..=M => 1, &r => r, ref s => s, mut t => t, [h, rest @ ..] => h + rest }",
        "M N",
    );
    check_body("let f = |x, (y, z): (T, i32)| x + y + z + w; f(x)", "T w x");
    check_body("'l: loop { break 'l; continue 'l; } a.x + b.y(c).z[d]", "c d");
    check_body("g(); fn g() { a; h(); } fn h() {}", "a");
    check_body("const C: usize = D; struct S { a: i32 } S { a, c, ..e }; S { d: 1 }", "D c e");
    check_body(
        "let v: Vec<_> = Vec::new(); Some(None::<u8>); Ok(i32::MAX); std::mem::drop(u8::from(f));",
        "",
    );
    check_body("unsafe\n{ x } async { y } move || z; &mut w; *v as T", "T v w x y z");
    check_body("x::<T>(); Foo::<U>::new(); <V as W>::f()", "Foo T U V W x");
}

#[test]
fn finds_names_in_arguments_of_macros() {
    check_body("println!(\"{} {y}\", x, z = a); vec![c; d]; vec![e, g].len()", "c d e g x");
    check_body("assert_eq!(x.y(z), a); write!(w, \"\")?; panic!(); if a { todo() }", "todo w x z");
    check_body("format!(\"{}\", vec![x.map(|y| y + z)])", "x z");
    check_body("match a { _ => unreachable!(\"{}\", x), }", "x");
    check_body("matches!(x, Some(y)); foo![z]; std::println!(\"{}\", w)", "foo");
    check_body(
        "matches!(g(a.h(x)), i::J(y)); foo!(K::l(x), fn m() {}, match n { x => a })",
        "K foo g i",
    );
    check(
        "macro_rules! m { ($($f:ident),*) => { $(#[test] #[cfg(not(a))] fn $f() { let g = |x| x; \
         g(h(1)); })* } }\nfn f() { g(); }\n",
        "g h",
    );
    check(
        "thread_local! { static X: RefCell<i32> = RefCell::new(1); }\nfn f() { X.g(Y); }\n",
        "RefCell Y",
    );
}

#[test]
fn reads_unfinished_programs() {
    let head = "use std::fs;\n\nfn f(xs: &[i32]) -> i32 {\n";
    check(head, "");
    check(&format!("{head}    for x in xs {{\n        y += x;\n"), "y");
    check(&format!("{head}    return g(xs[0],\n"), "g");
    check(&format!("{head}    let s = \"(\".to_owned() + c;\n"), "c");
    check(&format!("{head}    let s = r#\"(\" + c;\n"), "");
    check(&format!("{head}    let c: &'static str = '('; x<'a>('\\'', b'\"', '\n"), "x");
    check(&format!("{head}    /* not /* code: */ z(\n"), "");
    check(
        &format!("{head}    match xs {{\n        [] => y,\n        [x, ..] => {{\n            z\n"),
        "y z",
    );
    check(&format!("{head}    let p = Point {{\n        x: y,\n"), "Point y");
    check(&format!("{head}    println!(\"{{}}\", x\n"), "x");
}

#[test]
fn tells_comments() {
    checks::check_comments(&RUST, "// a\nlet x; // b\n\n/* c /*\n d */ */\n/* e */ y;\n", "#..##.");
    checks::check_comments(&RUST, "s = r#\"\n  a // b\"\n  \"#;\nx = '\"'; // c\n", ".##.");
}

#[test]
fn classifies_infills() {
    for import in ["use std::fmt;\n", "pub use a::{b, c}\n", "extern crate x;\n"] {
        checks::check_kind(&RUST, import, Import);
    }
    for function in [
        "fn f(x: i32) -> i32 {\n",
        "pub(crate) async fn f()\n",
        "fn f<T>(x: T) -> Vec<T>\n",
        "fn f();\n",
    ] {
        checks::check_kind(&RUST, function, Function);
    }
    for control in ["for x in y {\n", "  if x { y(); }\n", "} else {\n", "loop {\n", "match x {\n"]
    {
        checks::check_kind(&RUST, control, Control);
    }
    for statement in [
        "let x = f(1);\n",
        "f(x)\n",
        "x\n",
        "return x;\n",
        "vec![x]\n",
        "struct S {\n",
        "let f = |x| {\n",
        "",
    ] {
        checks::check_kind(&RUST, statement, Statement);
    }
}

#[test]
fn sees_where_a_function_ends() {
    checks::check_function(&RUST, "fn f(x: i32) -> i32 {\n    x\n}\n", "fn g() {\n");
    checks::check_function(
        &RUST,
        "fn f<'a>(\n    x: &'a str,\n) -> u8\nwhere\n    T: U,\n{\n    y('}')\n}\n",
        "",
    );
    checks::check_function(&RUST, "fn f() { g() }\n", "x");
}

#[test]
fn judges_insertions() {
    let program =
        "struct S;\n\nimpl S {\n    fn f(xs: HashMap<i32, i32>) -> i32 {\n        g(xs);\n";
    let check = |position, infill, defined| {
        checks::check_defined(&RUST, program, position, infill, defined);
    };
    check(0, "use std::collections::HashMap;\n", "HashMap");
    check(0, "use std::collections::*;\n", "HashMap");
    check(1, "use std::{collections::{HashMap, HashSet}, fmt};\n", "HashMap");
    check(0, "use std::collections::BTreeMap as HashMap;\n", "HashMap");
    check(0, "use std::collections::HashSet;\n", "");
    check(0, "use unknown::*;\n", "");
    check(3, "use std::collections::HashMap;\n", "");
    check(4, "use std::collections::HashMap;\n", "");
    check(1, "fn g(xs: i32) {}\n", "g");
    check(4, "fn g(xs: i32) {}\n", "g");
    check(3, "fn g(xs: i32) {}\n", "");
    check(1, "fn g(&self) {}\n", "");
    check(1, "fn h(xs: i32) {}\n", "");
}

#[test]
fn judges_imports_of_what_the_program_has() {
    let program = "enum E { A, B }\nfn g() {}\nmod m {\n    fn f() {\n        g(A, C);\n    \
        }\n}\nfn h() {\n    B;\n}\n";
    let check = |position, infill, defined| {
        checks::check_defined(&RUST, program, position, infill, defined);
    };
    check(3, "    use super::*;\n", "g");
    check(2, "use super::*;\n", "");
    check(0, "use E::*;\n", "B");
    check(8, "    use E::*;\n", "B");
    check(0, "use F::*;\n", "");
}

#[test]
fn survives() {
    checks::check_survives(
        &RUST,
        "#![a(b)]\nuse x::{self, y::*, z as w};\nimpl<'a, T: B + ?Sized> C<'a> for D<{ 1 }> \
         where T: 'a { const \
         E: [u8; 2] = *b\"\\\"\"; }\nmacro_rules! f { ($($x:ident),*) => { vec![$($x!()),*] } \
         }\nfn g() { \
         if let h @ Some('é') = r##\"#\"## { 'i: while j?.k::<L>()[..=m] {} } /* /* */ */ n! {o} \
         }\n",
    );
}

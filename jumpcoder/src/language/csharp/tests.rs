//! What C# makes of whole, unfinished and broken programs.

use crate::language::InfillKind::{Control, Function, Import, Statement};
use crate::language::checks;
use crate::language::csharp::CSHARP;

fn check(program: &str, undefined: &str) {
    checks::check(&CSHARP, program, undefined);
}

/// Checks the undefined names of a method's statements.
fn check_body(body: &str, undefined: &str) {
    check(&format!("class A {{ void F() {{ {body} }} }}\n"), undefined);
}

#[test]
fn finds_undefined_names_of_types() {
    check("class A { int F(int x) { return x + y; } }\n", "y");
    check("class A { int x; int P => x + G(); int G() { return P + F; } }\n", "F");
    check("using System.Collections.Generic;\nclass A { List<Foo> F; }\n", "Foo");
    check("class A { List<int> F() => new List<int>(); }\n", "List");
    check("namespace A.B { using System; class C { Action<int> f; A.B.C c; } }\n", "");
    check("namespace A.B;\nusing System.Text;\nclass C { StringBuilder f; Uri g; }\n", "Uri");
    check("using Unknown.Things;\nclass C { Foo f = Bar(); }\n", "");
    check("using static System.Math;\nclass C { double F() => Sqrt(Cube(2)) + PI; }\n", "Cube");
    check("using L = System.Collections.Generic.List<int>;\nclass C { L f; }\n", "");
    check("class A { System.Text.StringBuilder b = new System.Text.StringBuilder(); }\n", "");
    check("class A<T> where T : IFoo { T F<U>(U x) where U : T => x; U z; }\n", "IFoo U");
    check("enum E { X = 1, Y = X | Z }\nclass A { E e = E.Q; }\n", "Z");
    check("record R(int a, Foo b) { int F() => a + c; }\n", "Foo c");
    check(
        "class A { int p; int P { get => p; set { p = value + q; } } int Q => value; }\n",
        "q value",
    );
    check("class A { public int this[int i] { get { return i + j; } } }\n", "j");
    check("delegate T D<T>(T x);\nclass A { D<int> d; event E e; }\n", "E");
    check("class A { public static A operator +(A x, A y) => z; }\n", "z");
    check("class A { A(int x) : this(x, y) { } ~A() { z(); } }\n", "y z");
}

#[test]
fn finds_undefined_names_of_statements() {
    check_body("y = x; int x = 1;", "x y");
    check_body("for (int i = 0; i < n; i++) { } i = 1;", "i n");
    check_body("foreach (var x in xs) x.F(); foreach (var (a, b) in xs) b(a, x);", "x xs");
    check_body("try { } catch (Foo e) when (e.X > y) { e.F(); }", "Foo y");
    check_body("using (var r = F()) { r.X(); } using var s = F(); s.X(r);", "r");
    check_body("if (!int.TryParse(\"\", out var n)) return; n++;", "");
    check_body("switch (o) { case int i when i > j: break; case Foo.X: break; }", "Foo j o");
    check_body("var t = o switch { int i => i, A { P: 1 } a => a.Q, _ => z };", "o z");
    check_body("l: goto l; int G(int x) => x + H(); int H() => 1; G(2);", "");
    check_body("(int a, var b) = F(); var (c, d) = (a, b); (c, d) = (d, e);", "e");
    check_body("lock (this) { int v = nameof(A).Length; dynamic w = default(B); }", "B");
    check_body("if (F is string s && s.Length > 0) A(s);", "A");
}

#[test]
fn finds_undefined_names_of_expressions() {
    check_body("var f = (int a, int b) => a + b + c; var g = x => { return x; };", "c");
    check_body("var f = delegate(int a) { return a + b; };", "b");
    check_body("var q = from x in xs where x > y let z = x orderby z select z + w;", "w xs y");
    check_body(
        "var q = from a in this join b in bs on a.X equals b.Y into c from d in c select new { d, \
             E = a };",
        "bs",
    );
    check_body("var a = new A { X = 1, Y = z }; a = a with { X = 2 }; F(named: v);", "v z");
    check_body(
        "var s = $\"{x} {{y}} {z:N2} {w,3} {d[\"}\"]}\"; s = $@\"{u} \"\"{v}\";",
        "d u v w x z",
    );
    check_body(
        "var s = @\"c:\\{x}\"; s = \"\"\"{y}\"\"\"; var c = '{'; s = $\"\"\"{z}\"\"\";",
        "z",
    );
    check_body("int[] a = { 1, b }; var c = a?.Length ?? d; c = (Foo)c as Bar;", "Bar Foo b d");
    check_body("Console.WriteLine(typeof(Foo)); ToString(); var x = GetHashCode();", "Console Foo");
    check("[Foo, Bar(X = y)] class A { }\nclass FooAttribute { }\n", "Bar y");
    check("using System;\n[Serializable, Obsolete(\"\")] class A { }\n", "");
    check("#if DEBUG && !X\nusing System;\n#endif\n#region It's\nclass A { }\n#endregion\n", "");
    check("using System;\nConsole.WriteLine(args[0] + x);\n", "x");
}

#[test]
fn knows_what_is_inherited() {
    check("using System;\nclass A : Exception { string F() => Message + x; }\n", "x");
    check("class A : Exception { string F() => Message; }\n", "Exception Message");
    check("class B { protected int x; }\nclass A : B { int F() => x + y; }\n", "y");
    check("interface I { int G(); }\nclass A : I { int F() => G(); }\n", "G");
    check("using System;\nclass A : IDisposable { void F() { Dispose(); } }\n", "Dispose");
    check("using Other;\nclass A : Known { void F() { Any(); } }\n", "");
    check("partial class A { int x; }\npartial class A { int F() => x + y; }\n", "y");
    check("class A : A { int F() => y; }\n", "y");
}

#[test]
fn reads_unfinished_programs() {
    let head = "using System;\nclass A {\n    static int F(int[] xs) {\n";
    check(head, "");
    check(&format!("{head}        foreach (var x in xs) {{\n            y += x;\n"), "y");
    check(&format!("{head}        return G(xs[0],\n"), "G");
    check(&format!("{head}        string s = $\"{{c}} {{"), "c");
    check(&format!("{head}        string s = \"(\" + c;\n"), "c");
    check(&format!("{head}        /* not code: z(\n"), "");
    check(&format!("{head}        return x\n"), "x");
}

#[test]
fn tells_comments() {
    checks::check_comments(
        &CSHARP,
        "// a\nint x; // b\n\n/* c\n d */\n#region e\nint y;\n",
        "#..###.",
    );
    checks::check_comments(&CSHARP, "s = @\"\n  a // b\n\";\nx = '\"'; // c\n", ".##.");
    checks::check_comments(&CSHARP, "s = \"\"\"\n  \"a\"\n  \"\"\";\nx = \"//\";\n", ".##.");
}

#[test]
fn classifies_infills() {
    for import in ["using System;\n", "  using static A.B;\n", "using X = A.B;\n"] {
        checks::check_kind(&CSHARP, import, Import);
    }
    for function in [
        "int F(int x) {\n",
        "    private static T G<T>()\n",
        "[X]\nvoid F() {\n",
        "int F() => 1;\n",
    ] {
        checks::check_kind(&CSHARP, function, Function);
    }
    for control in
        ["for (;;) {\n", "  if (x) Y();\n", "} else {\n", "try {\n", "using (var x = F()) {\n"]
    {
        checks::check_kind(&CSHARP, control, Control);
    }
    for statement in
        ["int x = F(1);\n", "F(x);\n", "return x;\n", "using var x = F();\n", "class B {\n", ""]
    {
        checks::check_kind(&CSHARP, statement, Statement);
    }
}

#[test]
fn sees_where_a_function_ends() {
    checks::check_function(&CSHARP, "int F(int x) {\n    return x;\n}\n", "int y");
    checks::check_function(&CSHARP, "int F(int x)\n{\n    if (x) { Y($\"}}{x}\"); }\n}\n", "");
    checks::check_function(&CSHARP, "int F(int x) =>\n    x;\n", "int G() {\n");
}

#[test]
fn judges_insertions() {
    let program =
        "namespace N {\n    class A {\n        int F(List<int> xs) {\n            return G(xs);\n";
    let check = |position, infill, defined| {
        checks::check_defined(&CSHARP, program, position, infill, defined);
    };
    check(0, "using System.Collections.Generic;\n", "List");
    check(1, "    using System.Collections.Generic;\n", "List");
    check(2, "using System.Collections.Generic;\n", "");
    check(3, "using System.Collections.Generic;\n", "");
    check(0, "using System.Linq;\n", "");
    check(0, "using Unknown.Things;\n", "");
    check(2, "        private static int G(List<int> xs) { return 1; }\n", "G");
    check(3, "            private static int G(List<int> xs) { return 1; }\n", "");
    check(3, "            int G(List<int> xs) { return 1; }\n", "G");
    check(1, "    int G(List<int> xs) { return 1; }\n", "");
    check(0, "int G(List<int> xs) { return 1; }\n", "");
    let embedded = "class A {\n void F() {\n if (F == null)\n G();\n }\n}\n";
    checks::check_defined(&CSHARP, embedded, 3, "int G() { return 1; }\n", "");
    check(2, "        int H(List<int> xs) { return 1; }\n", "");
}

#[test]
fn survives() {
    checks::check_survives(
        &CSHARP,
        "#if X\nusing static A.B;\n#endif\nnamespace C.D;\n[E(F = 1)] class G<T> : H.I where T : \
         new() {\n enum J { K, L = 1 }\n string m = $@\"{n:o} \"\"{{\"; /* p */ char q = '\\'';\n \
         event R S { add { } }\n U this[int v] => w switch { > 1 and var x => $\"\"\"{y}\"\"\", \
         _ => \
         from z in a select new { b, c = d?.e }; // é\n}\n",
    );
}

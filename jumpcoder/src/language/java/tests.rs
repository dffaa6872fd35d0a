//! What Java makes of whole, unfinished and broken programs.

use crate::language::InfillKind::{Control, Function, Import, Statement};
use crate::language::checks;
use crate::language::java::JAVA;

fn check(program: &str, undefined: &str) {
    checks::check(&JAVA, program, undefined);
}

#[test]
fn finds_undefined_names() {
    check("class A { int f(int x) { return x + y; } }\n", "y");
    check("class A { int x; int f() { return x + g(); } int g() { return f(); } }\n", "");
    check("class A { List<Foo> f() { return new ArrayList<>(); } }\n", "ArrayList Foo List");
    check("import java.util.*;\nclass A { List<Foo> x = Map.of(); }\n", "Foo");
    check("package a.b;\nimport java.util.List;\nclass A { List<Map.Entry> x; }\n", "Map");
    check("import org.unknown.*;\nclass A { Foo x = bar(); }\n", "");
    check("class A { void f() { int y = x; int x = 1; } }\n", "x");
    check("class A { void f() { for (int i = 0; i < n; i++) {} i = 1; } }\n", "i n");
    check("class A { void f() { Arrays.sort(a.b); Math.max(c(1), d); } }\n", "Arrays a c d");
    check("class A { <T> T f(T x) { T y = x; return y; } T z; }\n", "T");
    check(
        "class A { void f() { try { g(); } catch (IOException | B e) { e.x(); } } }\n",
        "B IOException g",
    );
    check("class A { void f() { l: for (var x : xs) { continue l; } x(); } }\n", "x xs");
    check("class A { void f() { F g = (a, b) -> a + b + c; } }\n", "F c");
    check("class A { void f() { F g = x -> { return x; }; } }\n", "F");
    check("class A { void f(Object o) { if (o instanceof String s && s.isEmpty()) {} } }\n", "");
    check("enum E { X, Y; E next() { return X; } }\n", "");
    check("record R(int a) { int f() { return a + a() + b; } }\n", "b");
    check("class A { void f(E e) { switch (e) { case X: y(); } } }\n", "E y");
    check("class A { void f() { try (Reader r = open()) { r.read(); } } }\n", "Reader open");
    check("class A { void f() { java.util.List<String> x = java.util.List.of(); } }\n", "");
    check("class A { void f() { hashCode(); System.out.println(this.z); } }\n", "");
    check("@Foo class A { @Override public String toString() { return null; } }\n", "Foo");
}

#[test]
fn knows_what_is_inherited() {
    check("class A extends Thread { void f() { setName(x()); } }\n", "x");
    check("import a.Known;\nclass A extends Known { void f() { any(x); B y; } }\n", "B");
    check("class A extends Unknown { void f() { none(); } }\n", "Unknown none");
    check("class A extends ArrayList<A> { int f() { return size(); } }\n", "ArrayList size");
    check("interface A extends A, B { int x = y; }\ninterface B extends B, A {}\n", "y");
    check("class B { int x; }\nclass A extends B { int f() { return x + y; } }\n", "y");
    check("class A extends A { int f() { return y; } }\n", "y");
    check(
        "import java.util.*;\nclass A extends HashMap<K, Integer> { int f() { return size(); } }\n",
        "K",
    );
    check(
        "class A { Runnable r = new Thread() { public void run() { getName(); x(); } }; }\n",
        "x",
    );
    check(
        "import static java.lang.Math.*;\nclass A { double f() { return sqrt(cube(2)); } }\n",
        "cube",
    );
}

#[test]
fn reads_unfinished_programs() {
    let head = "import java.util.*;\nclass A {\n    static int f(List<Integer> xs) {\n";
    check(head, "");
    check(&format!("{head}        for (int x : xs) {{\n            y += x;\n"), "y");
    check(&format!("{head}        return g(xs.get(0),\n"), "g");
    check(&format!("{head}        String s = \"(\" + c;\n"), "c");
    check(&format!("{head}        /* not code: z(\n"), "");
    check(&format!("{head}        return x\n"), "x");
}

#[test]
fn tells_comments() {
    checks::check_comments(&JAVA, "// a\nint x; // b\n\n/* c\n d */\n/* e */ int y;\n", "#..##.");
    checks::check_comments(&JAVA, "s = \"\"\"\n  a // b\n  \"\"\";\nx = '\"'; // c\n", ".##.");
}

#[test]
fn classifies_infills() {
    for import in ["import java.util.*;\n", "import static a.B.c;\n", "  import a.B;\n"] {
        checks::check_kind(&JAVA, import, Import);
    }
    for function in ["int f(int x) {\n", "    private static <T> void g()\n", "@X\nvoid f() {\n"] {
        checks::check_kind(&JAVA, function, Function);
    }
    for control in ["for (;;) {\n", "  if (x) y();\n", "} else {\n", "try {\n", "else\n"] {
        checks::check_kind(&JAVA, control, Control);
    }
    for statement in
        ["int x = f(1);\n", "f(x);\n", "return x;\n", "format(x);\n", "class B {\n", ""]
    {
        checks::check_kind(&JAVA, statement, Statement);
    }
}

#[test]
fn sees_where_a_function_ends() {
    checks::check_function(&JAVA, "int f(int x) {\n    return x;\n}\n", "int y");
    checks::check_function(&JAVA, "int f(int x)\n{\n    if (x) { y(\"}\"); }\n}\n", "");
    checks::check_function(&JAVA, "abstract int f(int x);\n", "int g() {\n");
}

#[test]
fn judges_insertions() {
    let program = "class A {\n    int f(List<Integer> xs) {\n        return g(xs);\n";
    let check = |position, infill, defined| {
        checks::check_defined(&JAVA, program, position, infill, defined);
    };
    check(0, "import java.util.*;\n", "List");
    check(0, "import java.util.List;\n", "List");
    check(0, "import java.util.Map;\n", "");
    check(0, "import org.unknown.*;\n", "");
    check(2, "import java.util.*;\n", "");
    check(1, "    int g(List<Integer> xs) { return 1; }\n", "g");
    check(2, "    int g(List<Integer> xs) { return 1; }\n", "");
    check(0, "int g(List<Integer> xs) { return 1; }\n", "");
    check(3, "import java.util.*;\n", "");
    checks::check_defined(
        &JAVA,
        "package a.b;\nclass A { List x; }\n",
        0,
        "import java.util.List;\n",
        "",
    );
    checks::check_defined(&JAVA, "class A { List x; }\n", 1, "import java.util.List;\n", "");
    check(1, "    int h(List<Integer> xs) { return 1; }\n", "");
}

#[test]
fn survives() {
    checks::check_survives(
        &JAVA,
        "package a.b;\nimport static x.Y.*;\n@A(b = {1}) class C<T extends D> extends E.F {\n  \
         enum G { H(1) { }, I; }\n int[] j = {1, 'k', \"l\\\"\"}; /** m */\n <N> void o(N... p) \
         throws Q {\n for (;;) { r: s -> { t::new; }; } // é\n }\n}\n",
    );
}

//! What Go makes of whole, unfinished and broken programs.

use crate::language::InfillKind::{Control, Function, Import, Statement};
use crate::language::Language;
use crate::language::checks;
use crate::language::go::GO;

fn check(program: &str, undefined: &str) {
    checks::check(&GO, program, undefined);
}

/// Checks statements of a function that has the parameters `a` and `b`.
fn check_body(statements: &str, undefined: &str) {
    check(&format!("func f(a, b int) (c int) {{\n{statements}\n}}\n"), undefined);
}

#[test]
fn finds_what_packages_define() {
    check("package p\nfunc f() { g(x); y = h }\nvar x, y = z, 1\nconst h = 2\n", "g z");
    check(
        "type T struct { U; *V; x, y W; z pkg.X }\nfunc (t *T) m() { m(); n() }\n",
        "U V W m n pkg",
    );
    check("type I interface { J; m(x K) L; ~int | M }\n", "J K L M");
    check("type (\n\tA = B\n\tC []D\n)\n", "B D");
    check("const (\n\tx, v int = iota, v\n\ty\n)\nvar (\n\tz int = x + w\n)\n", "w");
    check("func f(n n, m ...o) {}\n", "n o");
    check("var f func(x int) y = g(x)\n", "g x y");
}

#[test]
fn finds_what_imports_define() {
    check("import \"fmt\"\nfunc f() { fmt.Println(os.Args) }\n", "os");
    check(
        "import (\n\t\"math/rand\"\n\tm \"math\"\n)\nvar x = rand.Int() + m.Pi + math.E\n",
        "math",
    );
    check("import `gopkg.in/yaml.v3`\nvar x yaml.Node\n", "");
    check("import \"example.org/a/go-b/v2\"\nvar x, y = b.X, v2.Y\n", "v2");
    check("import . \"math\"\nvar x = Sqrt(Pi) + Cube(2)\n", "Cube");
    check("import . \"example.org/a\"\nvar x = anything\n", "");
    check("import _ \"embed\"\nvar x = embed.FS{}\n", "embed");
}

#[test]
fn finds_what_statements_define() {
    check_body("x := a + x\ny := x\nc = y + z", "x z");
    check_body("var x, y int = b, x\nx++\nconst k = k", "k x");
    check_body("if x, err := g(); err != nil { x() } else if y := x; y { z() }\nx()", "g x z");
    check_body("for i, v := range xs { a += i + v }\nfor j := 0; j < n; j++ {}\nj--", "j n xs");
    check_body("for i = range i { }\nfor k, w = range a {}", "i k w");
    check_body("switch x := a; x { case y: z := 1; _ = z; default: z++ }", "y z");
    check_body("switch t := v.(type) { case T: t() ; default: u(t) }\nt()", "T t u v");
    check_body(
        "select { case x := <-ch: x() ; case ch2 <- y: x() ; case z, ok = <-ch: }",
        "ch ch2 ok x y z",
    );
    check_body("type T struct { next *T; t U }\nvar t T", "U");
    check_body("h := func(x int) (y T) { return x + y + h(a) }\nh(x)", "T h x");
    check_body("outer:\nfor { continue outer; break outer; goto end }\nend:", "");
    check_body("defer g()\ngo func() { recover() }()\npanic(nil)", "g");
    check_body("f(1); return a.x + b.y(z)", "z");
}

#[test]
fn finds_what_type_parameters_define() {
    check(
        "func f[K comparable, V A | ~B](m map[K]V) (r []K) { var x V; g[K](x); return r }\n",
        "A B g",
    );
    check("type L[T any] struct { next *L[T]; v T }\nvar x T\n", "T");
    check("func (l *L[T]) m(x T) T { var y U; return y }\ntype L[T any] []T\n", "U");
    check("var x = g[int, T](y)\n", "T g y");
}

#[test]
fn knows_keys_of_literals() {
    check_body("_ = T{x: y, z: w}", "T w y");
    check_body("_ = map[string]int{x: 1, \"y\": z}", "x z");
    check_body("_ = []T{{x: 1}, {y}}", "T y");
    check_body("_ = map[string]map[string]int{\"a\": {x: 1}}", "x");
    check_body("_ = [...]int{x: 1, a: 2}", "x");
}

#[test]
fn reads_unfinished_programs() {
    let head = "package main\n\nimport (\n\t\"sort\"\n)\n\nfunc f(xs []int) int {\n";
    check(head, "");
    check(&format!("{head}\tfor _, x := range xs {{\n\t\ty += x\n"), "y");
    check(&format!("{head}\treturn g(xs[0],\n"), "g");
    check(&format!("{head}\tm := map[string]int{{\n\t\t\"a\": k,\n"), "k");
    check(&format!("{head}\tm := []int{{k, 2"), "k");
    check(&format!("{head}\tsort.Slice(xs, func(i, j int) bool {{\n\t\treturn xs[i] < k\n"), "k");
    check(&format!("{head}\ts := `(\n + c\n"), "");
    check(&format!("{head}\tr := '{{'\n\tx = '\\''\n"), "x");
    check(&format!("{head}\t/* not code: z(\n"), "");
    check("import (\n\t\"fmt\"\n", "");
}

#[test]
fn tells_comments() {
    checks::check_comments(&GO, "// a\nx := 1 // b\n\n/* c\n d */\n/* e */ y := 2\n", "#..##.");
    checks::check_comments(&GO, "s := `\n  a // b\n`\nx := \"`\" // c\n", ".##.");
}

#[test]
fn classifies_infills() {
    for import in ["import \"fmt\"\n", "import (\n\t\"fmt\"\n", "import m `math`\n", "\t\"fmt\"\n"]
    {
        checks::check_kind(&GO, import, Import);
    }
    for function in ["func f(x int) int {\n", "func (t *T) m()\n", "func f[T any](x T) { g() }\n"] {
        checks::check_kind(&GO, function, Function);
    }
    for control in ["for {\n", "  if x { y() }\n", "} else {\n", "switch {\n", "package main\n"] {
        checks::check_kind(&GO, control, Control);
    }
    for statement in
        ["x := f(1)\n", "f(x)\n", "return x\n", "f := func() {\n", "type T struct {\n", ""]
    {
        checks::check_kind(&GO, statement, Statement);
    }
}

#[test]
fn sees_where_a_function_ends() {
    checks::check_function(&GO, "func f(x int) int {\n\treturn x\n}\n", "func g() {\n");
    checks::check_function(&GO, "func f(\n\tx int,\n) (\n\tint,\n) {\n\ty(`}`)\n}\n", "");
    checks::check_function(&GO, "func f() { g() }\n", "x");
}

#[test]
fn judges_insertions() {
    let program =
        "// head\npackage main\n// f\nfunc f(xs []int) int {\n\tsort.Ints(xs)\n\treturn min(xs)\n";
    let check = |position, infill, defined| {
        checks::check_defined(&GO, program, position, infill, defined);
    };
    check(2, "import \"sort\"\n", "sort");
    check(1, "import \"sort\"\n", "");
    check(2, "import (\n\t\"math\"\n\t\"sort\"\n)\n", "sort");
    check(2, "import s \"sort\"\n", "");
    check(2, "import \"strings\"\n", "");
    check(0, "import \"sort\"\n", "");
    check(4, "import \"sort\"\n", "");
    check(6, "import \"sort\"\n", "");
    check(2, "func min(xs []int) int { return xs[0] }\n", "min");
    check(4, "func min(xs []int) int { return xs[0] }\n", "");
    check(0, "func min(xs []int) int { return xs[0] }\n", "");
    check(2, "func (t T) min(xs []int) int { return xs[0] }\n", "");
    check(2, "func max(xs []int) int { return xs[0] }\n", "");
}

#[test]
fn imports_come_before_all_else() {
    let program =
        "import \"fmt\"\n\nfunc f() {\n\tfmt.Println(g())\n}\n\ntype T int\n\nvar x = sort.Sort\n";
    let check = |position, infill, defined| {
        checks::check_defined(&GO, program, position, infill, defined);
    };
    check(0, "import \"sort\"\n", "sort");
    check(1, "import \"sort\"\n", "sort");
    check(6, "import \"sort\"\n", "");
    check(9, "import \"sort\"\n", "");
    check(0, "func g() {}\n", "");
    check(1, "func g() {}\n", "g");
    check(9, "func g() {}\n", "g");
}

#[test]
fn paths_are_imports_in_their_parentheses() {
    let program = "import (\n\t\"fmt\"\n)\n\nfunc f() {\n\tsort.Ints(x)\n}\n";
    let check = |position, infill, defined| {
        checks::check_defined(&GO, program, position, infill, defined);
    };
    check(1, "\t\"sort\"\n", "sort");
    check(2, "\t\"sort\"\n", "sort");
    check(2, "\t\"strings\"\n", "");
    check(0, "\t\"sort\"\n", "");
    check(3, "\t\"sort\"\n", "");
    check(5, "\t\"sort\"\n", "");
}

#[test]
fn sees_which_infills_take_lines() {
    let takes = |infill| GO.takes_lines(infill);
    assert!(takes("import (\n\t\"fmt\"\n)\n") && takes("func f() {\n"));
    assert!(!takes("import \"fmt\"\n") && !takes("f(\n"));
    checks::check_function(&GO, "import (\n\t\"fmt\"\n)\n", "func f() {\n");
}

#[test]
fn survives() {
    checks::check_survives(
        &GO,
        "package p\nimport (\n . \"m\"\n n `o`\n)\ntype A[T any] struct { *B; c, d E `t` }\nfunc \
         (a *A[T]) f(x \
         ...int) (y int) {\n l: for i, v := range x { if v := <-c; v > 'é' { break l } }\n \
         switch t \
         := y.(type) { case *int: goto l }\n select { case <-c: }\n return A{k: {1}, \"\\\"\": \
         2}.f\n}\n",
    );
}

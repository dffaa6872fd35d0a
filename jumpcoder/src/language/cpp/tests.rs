//! What C++ makes of whole, unfinished and broken programs.

use crate::language::InfillKind::{Control, Function, Import, Statement};
use crate::language::checks;
use crate::language::cpp::CPP;

fn check(program: &str, undefined: &str) {
    checks::check(&CPP, program, undefined);
}

#[test]
fn finds_undefined_names() {
    check("int f(int x) { return x + y; }\n", "y");
    check("int f(int x) { return g(x); }\nint g(int x) { return f(x); }\n", "g");
    check("int g(int);\nint f(int x) { return g(x); }\n", "");
    check("int f() { int y = x; int x = 1; return x; }\n", "x");
    check("void f() { for (int i = 0; i < n; i++) {} i = 1; }\n", "i n");
    check("int *f(int *a, int &b, int c[], int (*d)(int e)) { return a + b + c[0] + d(1); }\n", "");
    check("int f(int a, B b);\nint (*g)(int c) = h;\nint d = a + c + g(1);\n", "B a c h");
    check("void f() { auto [a, b] = p; auto &[c, d] = a; b + c + d; }\n", "p");
    check(
        "void f() { auto g = [a = 1, &b, c](int d) { return a + b + c + d + e; }; a; }\n",
        "a b c e",
    );
    check("void f() { if (int a = 1; a > 0) a; else a; while (int b = 0) b; a + b; }\n", "a b");
    check("void f() { try { g(); } catch (E &e) { e; } catch (...) {} e; }\n", "E e g");
    check("void f() { a: goto a; switch (x) { case Y: break; default: goto a; } }\n", "Y x");
    check("void f(P p) { Q q = {.a = 1, .b = p.c->d}; q.e(); }\n", "P Q");
    check(
        "typedef long long ll;\nusing V = int;\ntypedef V (*F)(ll x);\nF f(V v) { ll w = x; }\n",
        "x",
    );
    check("[[nodiscard, gnu::pure]] int f() __attribute__((unused));\n", "");
    check(
        "namespace a { int x; namespace b { int y = x; } }\nint z = a::b::y + a::w + b::y;\n",
        "b",
    );
    check(
        "void f() { int *p = NULL, *q = nullptr; size_t n = sizeof(p); n << 2; }\n",
        "NULL size_t",
    );
    check("int f() { return static_cast<T>(1'000'000) + u8\"a\"[0] + __LINE__; }\n", "T");
    check("int f(int a [[maybe_unused]], int b) { int c [[x]] = 1; return a + b + c; }\n", "");
    check("extern \"C\" { int f(); }\nint g() { return f(); }\n", "");
}

#[test]
fn knows_classes_and_templates() {
    check("struct A { int f() { return x + g() + y; } int g(); int x; };\nint z = x;\n", "x y");
    check("struct A { int x; int f(); };\nint A::f() { return x + f() + y; }\n", "y");
    check("struct A { struct B { int x; B *f(); }; };\nA::B *A::B::f() { return x + y; }\n", "y");
    check("struct B { int x; };\nstruct A : public B { int f() { return x + y; } };\n", "y");
    check("struct A : Unknown { int f() { return x; } };\n", "Unknown x");
    check("struct A : A { int f() { return x; } };\n", "x");
    check("class A { A(int x) : y(x), z{w} {} ~A() {} int y; friend class B; };\nB b;\n", "B w");
    check(
        "enum E { X, Y = X };\nenum class F : int { P, Q = P };\nE e = X; F f = F::P; F g = P;\n",
        "P",
    );
    check("struct A { union { int a; int b; }; int f() { return a + b; } };\n", "");
    check("template <class T> struct A : T { int f() { return x; } };\n", "");
    check("class A;\nA *f(A *a);\nvoid g() { f(b); }\n", "b");
    check("template <typename T, int N = 3> T f(T x) { return x + N; }\nT y = N;\n", "N T");
    check("template <class T> struct A { T x; A<T> *f(U y); };\nA<T> a;\n", "T U");
    check(
        "template <class T> struct A { T x; T f(); };\ntemplate <class U> U A<U>::f() { return \
         x + y; }\n",
        "y",
    );
    check("template <class... T> void f(T... xs) { g(xs...); }\nvoid h() { f<int>(1); }\n", "g");
    check(
        "template <class T> using V = T *;\ntemplate <class T> constexpr T p = T(3);\nV<int> v = \
         p<int>;\n",
        "",
    );
    check(
        "template <class T> concept C = requires(T a) { a + b; };\ntemplate <C T> T f(T x);\n",
        "b",
    );
    check("struct A { A operator+(A a) const { return B(a); } operator int(); };\n", "B");
    check("template <typename T> auto f(T x) -> decltype(x.y) { typename T::z w = T::v; }\n", "");
}

#[test]
fn knows_what_headers_bring() {
    check("std::vector<int> v;\n", "std::vector");
    check("#include <vector>\nstd::vector<std::string> v;\n", "std::string");
    check("#include <vector>\nvector<int> v;\n", "vector");
    check("#include <vector>\nusing namespace std;\nvector<string> v;\n", "string");
    check("using namespace std;\n#include <vector>\nvector<int> v;\n", "");
    check("vector<int> v;\n#include <vector>\nusing namespace std;\n", "vector");
    check("#include <vector>\nusing std::vector;\nvector<int> v = std::sort;\n", "std::sort");
    check("using std::vector;\nvector<int> v;\n", "std::vector");
    check("#include <cmath>\ndouble a = sqrt(2) + std::sqrt(2) + M_PI + INT_MAX;\n", "INT_MAX");
    check("#include <stdio.h>\nint main() { printf(\"\", EOF, stdin); assert(1); }\n", "assert");
    check(
        "#include <sstream>\nstd::stringstream s; std::string::size_type n = std::string::npos;\n",
        "",
    );
    check(
        "#include <iostream>\nstd::stringstream s; std::cout << std::endl;\n",
        "std::stringstream",
    );
    check("#include <chrono>\nusing namespace std::chrono;\nauto t = steady_clock::now();\n", "");
    check(
        "#include <thread>\nauto t = std::chrono::seconds(1);\nnamespace c = std::chrono;\nc::days \
         d;\n",
        "",
    );
    check(
        "#include <functional>\nusing namespace std::placeholders;\nauto f = std::bind(g, _1);\n",
        "g",
    );
    check("#include <bits/stdc++.h>\nusing namespace std;\nset<pair<int, Foo>> s;\n", "Foo");
    check("#include \"own.h\"\nFoo f = std::bar + baz;\n", "");
    check(
        "#include <bits/stdc++.h>\nnamespace std { template <> struct hash<A> {}; string s; }\n",
        "A",
    );
    check("namespace a { int x; }\nusing namespace a;\nint y = x + z;\n", "z");
    check(
        "namespace a { int x; }\nnamespace a { int y = x; }\nnamespace a::b { int c = d; }\n",
        "d",
    );
    check("#define N 10\n#define F(x) ((x) + 1)\n#ifdef G\nint a = F(N) + M;\n#endif\n", "M");
    check("#if defined(A) && B > 1\n#elif C\n#else\nint x;\n#endif\nint y = x;\n", "");
}

#[test]
fn reads_unfinished_programs() {
    let head = "#include <vector>\nusing namespace std;\nint f(vector<int> xs) {\n";
    check(head, "");
    check(&format!("{head}    for (int x : xs) {{\n        y += x;\n"), "y");
    check(&format!("{head}    return g(xs.at(0),\n"), "g");
    check(&format!("{head}    char c = '(' + d; auto s = \"(\";\n"), "d");
    check(&format!("{head}    auto s = R\"-(not code: z( )\" \n)-\" + e;\n"), "e");
    check(&format!("{head}    /* not code: z(\n"), "");
    check(&format!("{head}    return x\n"), "x");
    check(&format!("{head}    vector<int> a(n), b(xs), c{{m}};\n    a + b + c"), "m n");
    check("class A {\n    int x;\npublic:\n    int f() {\n        return x + y\n", "y");
}

#[test]
fn tells_comments() {
    checks::check_comments(&CPP, "// a\nint x; // b\n\n/* c\n d */\n/* e */ int y;\n", "#..##.");
    checks::check_comments(&CPP, "auto s = R\"(\n // a\n)\"; int x = 1'0; // b'\n", ".##");
}

#[test]
fn classifies_infills() {
    for import in ["#include <vector>\n", "#include\"a.h\"\n", "using namespace std;\n"] {
        checks::check_kind(&CPP, import, Import);
    }
    for function in [
        "int f(int x) {\n",
        "static inline std::vector<int> *f()\n",
        "template <typename T>\nT f(T x) {\n",
        "bool A::f() const {\n",
    ] {
        checks::check_kind(&CPP, function, Function);
    }
    for control in ["for (;;) {\n", "  if (x) y();\n", "} else {\n", "try {\n", "else\n"] {
        checks::check_kind(&CPP, control, Control);
    }
    for statement in [
        "int x = f(1);\n",
        "f(x);\n",
        "return x;\n",
        "x = f(x);\n",
        "class B {\n",
        "int x(3);\n",
        "",
    ] {
        checks::check_kind(&CPP, statement, Statement);
    }
}

#[test]
fn sees_where_a_function_ends() {
    checks::check_function(&CPP, "int f(int x) {\n    return x;\n}\n", "int y");
    checks::check_function(&CPP, "int f(int x)\n{\n    if (x) { y(\"}\", '}'); }\n}\n", "");
    checks::check_function(&CPP, "template <class T>\nT f() {\n  return 1;\n}\n", "int g() {\n");
}

#[test]
fn judges_insertions() {
    let program = "#include <cstdio>\nusing namespace std;\nint f(vector<int> xs) {\n    \
                   return g(xs) + std::count(xs);\n";
    let check = |position, infill, defined| {
        checks::check_defined(&CPP, program, position, infill, defined);
    };
    check(0, "#include <vector>\n", "vector");
    check(2, "#include <vector>\n", "vector");
    check(1, "#include <algorithm>\n", "std::count");
    check(0, "#include <bits/stdc++.h>\n", "std::count vector");
    check(0, "#include <cmath>\n", "");
    check(0, "#include \"own.h\"\n", "");
    check(3, "#include <vector>\n", "");
    check(2, "int g(int x) { return 1; }\n", "g");
    check(3, "int g(int x) { return 1; }\n", "");
    check(4, "int g(int x) { return 1; }\n", "");
    check(0, "int h(int x) { return 1; }\n", "");
    check(0, "using std::vector;\n", "vector");
    let program = "#include <vector>\nvector<int> x = f();\n";
    let check = |infill, defined| checks::check_defined(&CPP, program, 1, infill, defined);
    check("using namespace std;\n", "vector");
    check("using std::vector;\n", "vector");
    check("template <class T>\nT f() { return T(); }\n", "f");
}

#[test]
fn survives() {
    checks::check_survives(
        &CPP,
        "#include <a>\n#define B(c) d \\\n e\nnamespace f::g { template <class H> struct I<H*> : \
         J\n{ K::L m = {1, 'n', \"o\\\"\", R\"p(q)p\"}; /* r */ friend S; };\n}\nusing namespace \
         t;\nvoid U::v() const { for (auto &[w, x] : y) { z: [&] { goto z; }(); } // é\n#if 1\n}\n",
    );
}

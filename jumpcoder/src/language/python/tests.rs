//! What Python makes of whole, unfinished and broken programs.

use super::*;
use crate::language::by_name;

fn lines_of(program: &str) -> Vec<&str> {
    program.split_inclusive('\n').collect()
}

/// Checks the undefined names of a program.
fn check(program: &str, undefined: &str) {
    let reading = Python.read(&lines_of(program));
    let found: BTreeSet<&str> = reading.undefined().iter().map(|found| &*found.name).collect();
    assert_eq!(found.into_iter().collect::<Vec<_>>().join(" "), undefined, "in\n{program}");
}

#[test]
fn finds_undefined_names() {
    check("x = a + b.c\nprint(x)\n", "a b");
    check("total += n\n", "n total");
    check("def f():\n    x = 1\ndef g():\n    return x\n", "x");
    check("def f(a, b=1, *c, d: int = 2, **e):\n    return a, b, c, d, e\n", "");
    check("f = lambda a, *b, c=z: a + b + c + w\n", "w z");
    check("with a as (b, [c, *d]), e as f.g:\n    b, c, d\n", "a e f");
    check("try:\n    pass\nexcept (A, B) as e:\n    e\n", "A B");
    check("for x, (y, *z) in w:\n    x, y, z\n", "w");
    check("del x\n", "x");
    check("if a:\n    b = 1\nprint(b)\n", "a");
    check("print(f'{a!r:>{b}} {{c}} {d=}')\n", "a b d");
    check(
        "import a.b, c.d as e\nfrom f import g, h as i\na, b, c, d, e, f, g, h, i\n",
        "b c d f h",
    );
    check("from __future__ import annotations\ndef f(x: A): pass\nclass A: pass\n", "");
    check("from m import *\nanything()\n", "");
    check("def f(): return a\nb()\nfrom m import *\nc()\n", "b");
    check("f(a=1, **b)\n", "b f");
    check("print(__name__, __file__, __doc__, ExceptionGroup)\n", "");
    check("x: int\nprint(x)\n", "x");
    check("a = b = c\na, b\n", "c");
    check("a[i].b = 1\n", "a i");
    check("async def f():\n    async with a as b: await b\n    async for c in b: c\n", "a");
    check("class A:\n    def f(self): return __class__, super()\n", "");
}

#[test]
fn follows_scopes() {
    check("class A:\n    x = 1\n    y = x\n    def f(self):\n        return x\n", "x");
    check("class A:\n    x = [1]\n    y = [z for z in x]\n    w = [x for z in y]\n", "x");
    check("[x for x in y if x]\nprint(x)\n", "x y");
    check("[(last := x) for x in [1]]\nprint(last)\n", "");
    check("{a: b for a in c for b in a}\n", "c");
    check("def f():\n    global x\n    x = 1\ndef g():\n    return x\n", "");
    check(
        "def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = 2\n    return x\n",
        "",
    );
    check("def f():\n    return g()\ndef g():\n    return f()\n", "");
    check("def f():\n    print(x)\n    x = 1\n", "");
    check("def f[T: A, *Ts](x: T, *y: *Ts) -> T:\n    z: T = x\nprint(T)\nclass A: pass\n", "T");
    check("class A[T](B[T]):\n    x: T\n", "B");
    check("type A[T] = dict[T, B]\nclass B: pass\nprint(A, T)\n", "T");
    check(
        "match x:\n    case [a, *b] | {'k': a, **b} if a: print(b)\n    \
         case P(q=c) as d: print(c, d, q)\n    case e.f: e\n    case _: pass\n",
        "P e q x",
    );
}

#[test]
fn what_runs_at_once_needs_its_binding_above() {
    check("print(x)\nx = 1\n", "x");
    check("x = x + 1\n", "x");
    check("@cache\ndef f(): pass\nfrom functools import cache\n", "cache");
    check("def f(x=a): pass\na = 1\n", "a");
    check("def f(x: List) -> Tuple: pass\nfrom typing import List, Tuple\n", "List Tuple");
    check("class A(B): pass\nclass B: pass\n", "B");
    check("def f(x: 'Tree', y: \"List['Tree']\"): pass\nclass Tree: pass\n", "List");
    check("x: Literal['a b', 'c'] = 1\n", "Literal");
    check("x: Annotated['a', 'b']\n", "Annotated a");
    check("x: 'not a type' = 1\n", "");
    check("def f(): return a\na = 1\n", "");
}

#[test]
fn names_go_again() {
    check("x = 1\ndel x\nprint(x)\n", "x");
    check("x = 1\ndel x\nx = 2\nprint(x)\n", "");
    check("def f():\n    x = 1\n    del x\n    return x\n", "x");
    check("def f():\n    return x\nx, y = 1, 2\ndel (x, y)\n", "x");
    check("x = 1\nif y:\n    del x\nprint(x)\n", "y");
    check("def f(x):\n    del x[0], x.y\n    return x\n", "");
    check("def f():\n    global x\n    x = 1\n    print(x)\n    del x\n", "");
    check("try:\n    pass\nexcept A as e:\n    e\nprint(e)\n", "A e");
    check("e = 1\ntry:\n    pass\nexcept A as e:\n    e\nprint(e)\n", "A");
    let handler = "    try:\n        pass\n    except (A, B) as e:\n        print(e)\n";
    check(&format!("def f():\n{handler}{handler}    return e\n"), "A B e");
}

#[test]
fn names_that_a_handler_waits_for_are_not_missed() {
    check("try:\n    unicode\nexcept NameError:\n    unicode = str\n", "");
    check("try:\n    a(b)\nexcept (E, NameError) as e:\n    c\n", "E c");
    check("try:\n    a\nexcept NameError as e:\n    pass\nelse:\n    b\n", "b");
    check("try:\n    def f(): return a\nexcept NameError:\n    pass\n", "a");
    check("try:\n    a\nexcept:\n    pass\n", "a");
    check("print(WindowsError)\n", "");
}

#[test]
fn strings_are_types_where_types_are_expected() {
    check("from __future__ import annotations as _a\ndef f(x: A): pass\nclass A: pass\n", "");
    check("from typing import Union as U\nx = U['A', None]\ny = {}['B']\n", "A");
    check("import typing as t\nx = t.List['A']\ny = t.Literal['B']\n", "A");
    check("from typing import cast\nx = cast('A', 'B')\ncast(typ='C', val='D')\n", "A C");
    check("from typing import TypeVar\nT = TypeVar('T', 'A', bound='B', covariant='C')\n", "A B");
    check("from typing import NewType\nN = NewType('N', 'A')\n", "A");
    check("from typing import TypeAlias\nX: TypeAlias = 'A'\nclass A: pass\n", "");
    check("x = cast('A', 'B')\n", "cast");
}

#[test]
fn reads_unfinished_programs() {
    check("def f(xs):\n    for x in xs:\n", "");
    check("def f(xs):\n    \"\"\"Sums xs\n    it's (\n", "");
    check("def f(xs):\n    return math.sqrt(\n", "math");
    check("def f(xs):\n    return sum(x +\n", "x");
    check("def f(xs):\n    y = [x for x in\n", "");
    check("def f(xs):\n    y = {'a':\n", "");
    check("def f(xs,\n", "");
    check("x = foo(1,\ndef g(y):\n    return y\n", "foo");
    check("@cache\n", "cache");
    check("if x:\n", "x");
    check("import numpy as\nnumpy\n", "");
    check("def f():\n    s = 'it\n    return s + t\n", "t");
    check("def f(a):\n    if not in (a, b):\n        raise C\n    return a\n", "C b");
    check("for x in\nprint(x)\n", "");
    check("if True:\n    f((1 or\n 2))\n    y = z\n", "f z");
}

/// Checks which lines are comments, given a mark for each: `#` for those that are.
fn check_comments(program: &str, marks: &str) {
    let found = Python.read(&lines_of(program)).is_comment();
    let found: String =
        found.iter().map(|&is_comment| if is_comment { '#' } else { '.' }).collect();
    assert_eq!(found, marks, "in\n{program}");
}

#[test]
fn tells_comments_and_docstrings() {
    check_comments("# a\nx = 1  # b\n\n    # c\n", "#..#");
    check_comments("def f():\n    \"\"\"doc\"\"\"\n    return 1\n", ".#.");
    check_comments("def f():\n    '''doc\n    more\n\n    '''\n    return 1\n", ".####.");
    check_comments("def f():\n    r\"\"\"doc\n    more\n", ".##");
    check_comments("x = \"\"\"a\nb\nc\"\"\"\ny = 1\n", ".##.");
    check_comments("f(\"\"\"a\nb\"\"\")\n", ".#");
    check_comments("'a' \\\n  'b'\n\"c\".d\n", "##.");
    check_comments("x = 'a\ny = \"#\"\n", "..");
    check_comments("x = (1,\n  # a\n  2)\n", ".#.");
    check_comments("\"\"\"a\r\nb\"\"\"\r\nx\r\n", "##.");
}

#[test]
fn classifies_infills() {
    let check =
        |infill: &str, kind: InfillKind| assert_eq!(Python.classify(infill), kind, "{infill}");
    for import in ["import a\n", "  from a import b\n", "from __future__ import c\n", "import"] {
        check(import, InfillKind::Import);
    }
    for function in ["def f(x):\n", "    async def f():\n", "@cache\ndef f():\n", "@a(\n  b)\n"] {
        check(function, InfillKind::Function);
    }
    let controls =
        ["for x in y:\n", "  if(x):\n", "while 1:\n", "try:\n", "#!/bin/sh\n", "else:\n"];
    for control in controls.into_iter().chain(["async for x in y:\n", "elif x:\n", "except:\n"]) {
        check(control, InfillKind::Control);
    }
    let statements = ["format = 1\n", "defaults = 2\n", "fromage = 3\n", "with a:\n", "# def\n"];
    for statement in statements.into_iter().chain(["class A:\n", "@a\nclass A:\n", "", "\"if\"\n"])
    {
        check(statement, InfillKind::Statement);
    }
}

#[test]
fn sees_where_a_function_ends() {
    let check = |function: &str, rest: &str, is_over: bool| {
        let text = format!("{function}{rest}");
        assert_eq!(Python.function_len(&text), is_over.then_some(function.len()), "{text}");
    };
    check("def f():\n    return 1\n", "\n\nx", true);
    check("def f():\n    return 1\n", "", false);
    check("def f():\n    return 1\n", "\n  ", false);
    check("def f():\n\n    return 1\n", "# next\n", true);
    check("    def f(\n    a,\n    ) -> int:\n        return 1\n", "    x", true);
    check("    def f():\n        return 1\n", "x", true);
    check("@a(\nb)\n@c\ndef f():\n    pass\n", "@", true);
    check("def f():\n    '''doc\nmore\n", "x = 1\n", false);
    check("def f(): return 1\n", "x", true);
    check("def f():\n    x = (1,\n2)\n", "\ny", true);
    check("def f():\n", "x", true);
    check("def f():\n    x = 1 + \\\n2\n", "", false);
}

#[test]
fn judges_whether_a_missing_name_is_defined() {
    let check = |program: &str, position: usize, infill: &str, is_defined: bool| {
        let found = Python.read(&lines_of(program)).defined_by(position, &lines_of(infill));
        assert_eq!(!found.is_empty(), is_defined, "{infill} before line {position} of\n{program}");
    };
    let root = "def f(x):\n    \"\"\"Root.\"\"\"\n    return math.sqrt(x)\n";
    check(root, 0, "import math\n", true);
    check(root, 2, "    import math\n", true);
    check(root, 2, "import math\n", false);
    check(root, 0, "    import math\n", false);
    check(root, 0, "import numpy as math\n", true);
    check(root, 0, "import numpy\n", false);
    check(root, 0, "from math import sqrt\n", false);
    check(root, 0, "from math import *\n", false);
    check(root, 1, "    import math\n", true);
    check(root, 3, "import math\n", true);
    let double = "def f(x):\n    return g(x)\n\nprint(f(h(2)))\n";
    check(double, 0, "def g(x):\n    return 2 * x\n", true);
    check(double, 1, "    def g(x):\n        return 2 * x\n", true);
    check(double, 1, "def g(x):\n    return 2 * x\n", false);
    check(double, 1, "    def h(x):\n        return 2 * x\n", false);
    check(double, 3, "def h(x):\n    return 2 * x\n", true);
    check(double, 4, "def h(x):\n    return 2 * x\n", false);
    check("@cache\ndef f(x):\n    return x\n", 0, "from functools import cache\n", true);
    check("@cache\ndef f(x):\n    return x\n", 1, "from functools import cache\n", false);
    check("x = [math,\n  1]\ny = math\n", 1, "import math\n", false);
    check("def f(x: List) -> int:\n    return List\n", 2, "from typing import List\n", true);
    check("x = f(a)\ny = a\n", 0, "import a; (\n", false);
    check("x = f(a)\ny = a\n", 1, "import a; '''\n", false);
    let method = "class A:\n    b = c\n    def f(self):\n        return c\n";
    check(method, 1, "    import c\n", true);
    check(method, 2, "    import c\n", false);
    check(method, 3, "        import c\n", true);
    check("def f():\n    global a\n    b = 1\ndef g():\n    return a\n", 2, "    import a\n", true);
    check("def f():\n    b = 1\ndef g():\n    return a\n", 1, "    import a\n", false);
    check("del a\nprint(a)\n", 0, "import a\n", true);
    check("import a\ndel a\nprint(a)\n", 0, "import a\n", false);
    check("import a\ndel a\nprint(a)\n", 2, "import a\n", true);
    let global = "def f():\n    global a\n    import a\n";
    check("print(a)\n", 0, global, true);
    check("def g():\n    return a\n", 1, "    def a():\n        pass\n", true);
}

#[test]
fn is_found_by_name() {
    let found = |name| [false, true].map(|quirks| by_name(name, quirks).map(Language::name));
    assert_eq!(found("Python"), [Some("python"); 2]);
    assert_eq!(found("py"), [Some("python"); 2]);
    assert_eq!(found("cobol"), [None; 2]);
}

/// Asks everything of a text; any answer will do.
fn check_survives(text: &str) {
    let lines = lines_of(text);
    for quirks in [false, true] {
        let python = by_name("python", quirks).expect("it is known");
        let reading = python.read(&lines);
        assert_eq!(reading.is_comment().len(), lines.len(), "{text:?}");
        reading.defined_by(lines.len() / 2, &lines);
        reading.outline();
        python.classify(text);
        assert!(python.function_len(text).is_none_or(|function_len| function_len <= text.len()));
    }
}

#[test]
fn survives_every_prefix() {
    let programs = [
        "def f(x: 'L[int]' = {1: [2]}, *a, **k) -> \"é\":\r\n\t\"\"\"dóc\\\r\n\"\"\"\r\n x\r\n",
        "@d(lambda y: (y, f'{y!r:>{w}}'))\nclass A[T](B, m=C):\n  x: Literal['a'] = 1 \\\n + 2\n",
        "try:\n  with a as (b, *c): pass\nexcept* E as e: del b[0]\nfinally:\n  raise X from e\n",
        "match q:\n case {'a': [x, *_], **r} | P(k=-1) as z if (n := x): r\n case a.b: 'é\n",
        "for i, (j, *k) in [a for b in c for a in b]:\n  global g; g += 0x1F\nelse: ...\n",
        "from .m import (a as b,\n  c)\nimport x.y\ntype V[T] = list[T]\nasync def f(): await x\n",
        // Brackets that are closed before an indentation that is mended already.
        "if a:\n  b = (c,\n\\\nclass D: pass\n",
    ];
    for program in programs {
        for (at, _) in program.char_indices() {
            check_survives(&program[..at]);
        }
        check_survives(program);
    }
}

#[test]
fn survives_garbage() {
    let pieces = [
        "(", "[", "{", ")", "]", "}", ":", "=", "\n", "\n    ", "\r\n", "\t", "'", "\"\"\"", "\\",
        "é", "def ", "class ", "if ", "for ", " in ", "lambda ", "import ", "from ", "as ", "@",
        "*", "f'{", "𝛼", "\u{0}", "\u{feff}", "\u{c}", "# ", ".", ",", "x", "y ", "0", "case ",
        "match ", "`", ";",
    ];
    for seed in 0..600_u64 {
        let mut state = seed;
        let mut text = String::new();
        for _ in 0..60 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        println!("seed {seed}");
        check_survives(&text);
    }
}

#[test]
fn survives_depth() {
    for piece in ["(", "[", "x + ", "-", "f(", "lambda: ", "{x: ", "not ", "x.", "((x)", "a = "] {
        check_survives(&format!("y = {}\n", piece.repeat(5_000)));
    }
    let nested: Vec<String> =
        (0..300).map(|depth| format!("{}if x:\n", " ".repeat(depth))).collect();
    check_survives(&nested.concat());
}

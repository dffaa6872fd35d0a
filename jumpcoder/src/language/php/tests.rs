//! What PHP makes of whole, unfinished and broken programs.

use crate::language::InfillKind::{Control, Function, Import, Statement};
use crate::language::checks;
use crate::language::php::PHP;

fn check(program: &str, undefined: &str) {
    checks::check(&PHP, &format!("<?php\n{program}"), undefined);
}

#[test]
fn finds_undefined_names() {
    check("function f($x) { return $x + $y + g($z) + FOO; }\n", "$y $z FOO g");
    check("f();\nfunction f() { if (1) { function g() {} } }\nG();\n", "");
    check(
        "$a = new Foo(strlen(PHP_EOL)); $a->b()->c; Bar::d(); Baz::E; Qux::$f;\n",
        "Bar Baz Foo Qux",
    );
    check("class A extends B implements C { use D; public ?E $e; const F = G; }\n", "B C D E G");
    check("const A = 1; define('B', A); echo A, B, M_PI, __DIR__, \"C\";\n", "");
    check("function f(int $a, self|Foo|null $b = null, Bar ...$c): static {}\n", "Bar Foo");
    check("if ($x instanceof Foo && $x instanceof $y) {}\n", "$x $y Foo");
    check("try { f(a: 1); } catch (Foo | Exception $e) { throw $e; }\n", "Foo f");
    check(
        "#[Foo(1)]\nenum E: string { case A = 'a'; const B = self::A; }\necho E::A->value;\n",
        "Foo",
    );
    check("$f = match (true) { $x > 1 => g(), default => null };\nlabel: goto label;\n", "$x g");
    check(
        "$o = new class($x) extends Foo { function m() { return $this->n($y); } };\n",
        "$x $y Foo",
    );
    check("echo STRLEN('a'), new arrayobject(), php_eol, True, NULL;\n", "php_eol");
}

#[test]
fn knows_the_scopes_of_variables() {
    check("$x = 1;\nfunction f() { return $x; }\nfunction g() { global $x; return $x; }\n", "$x");
    check(
        "$a = 1;\n$f = function ($b) use ($a, &$c, $d) { return $a + $b + $c + $d + $e; };\n",
        "$d $e",
    );
    check("$a = 1;\n$f = fn($x) => fn($y) => $x + $y + $a + $b;\n", "$b");
    check(
        "foreach ($xs as $k => [$a, 'b' => $b]) { $k . $a . $b; }\nforeach ([1] as &$v) { $v; }\n",
        "$xs",
    );
    check(
        "[$a, [$b, $c]] = [1, [2, 3]]; list('k' => $d, , $e) = $f; $a . $b . $c . $d . $e;\n",
        "$f",
    );
    check("function f() { static $n = 0; $n++; $a[] = 1; $b['x']['y'] = 2; $c .= 'z'; }\n", "$c");
    check("isset($a, $b['x']); $c ?? $d['y'] ?? $e; unset($f); empty($g); $h ??= 1;\n", "$e");
    check("preg_match('/x/', $s, $m); echo $m[0]; sort($t);\n", "$s");
    check(
        "class A { public $p = 1; static $q; function m() { return $this->p . self::$q . $p; } }\n",
        "$p",
    );
    check(
        "echo \"a $b {$c->d($e)} $f[0]\", <<<X\n $g {$h}\n X, <<<'Y'\n$i\nY, $_GET['x'], $argv;\n",
        "$b $c $e $f $g $h",
    );
    check("function f($a) { extract($a); return $b; }\necho $c;\n", "$c");
    check("$x = f($x);\necho $x, $y;\n$y = 1;\nfunction f($a) { return $a; }\n", "$x $y");
    check("echo $x;\n$$y = 1;\necho $z;\n", "$x");
}

#[test]
fn knows_namespaces() {
    check(
        "use A\\B, A\\C as D;\nuse E\\{F, G as H};\nnew B; new C; new D; new F; new G; new H;\n",
        "C G",
    );
    check(
        "use function A\\f;\nuse const A\\C;\nuse function B\\{g, h as i};f(); g(); h(); i(); C;\n",
        "h",
    );
    check(
        "namespace A;\nnew Exception(); new \\Exception(); strlen(E_ALL);\nfunction f(): self {}\n",
        "Exception",
    );
    check("namespace A;\nuse Exception;\nnew Exception(); new B; class B {}\n", "");
    check("new B;\nuse A\\B;\n", "B");
    check("f();\nrequire 'a.php';\nnew B; f(); C;\necho $d;\n", "B f");
    check("require_once __DIR__ . '/vendor/autoload.php';\nnew B; f();\n", "B f");
}

#[test]
fn reads_unfinished_programs() {
    let head = "function f(array $xs): int {\n";
    check(head, "");
    check(&format!("{head}    foreach ($xs as $x) {{\n        $y += $x;\n"), "$y");
    check(&format!("{head}    return g($xs[0],\n"), "g");
    check(&format!("{head}    $s = \"( {{$c->d(\n"), "$c");
    check(&format!("{head}    $s = 'it (' . h(<<<X\n  $a\n"), "$a h");
    check(&format!("{head}    # not code: z(\n    /* nor $y ( \n"), "");
    check(&format!("{head}    return $x\n"), "$x");
    check(&format!("{head}    if ($x):\n        g();\n"), "$x g");
    checks::check(&PHP, "", "");
    checks::check(&PHP, "<?php", "");
}

#[test]
fn skips_what_is_no_code() {
    let check = |program, undefined| checks::check(&PHP, program, undefined);
    check(
        "<b>don't $x</b>\n<?php if ($y): ?>\n<i>{ $z <?= f($v) ?></i>\n<?php endif; ?>\n$u",
        "$v $y f",
    );
    check("<?php\nfunction f() { ?>\n  it's <?php echo $x;\n", "$x");
    check("\n<?php f(); ?> a <?php g(); ?>\n", "f g");
    check("<?php\nif ($x) { ?>\n<é> {\n", "$x");
    check("<?php\necho '?>', $x; // <?php\n?>\n", "$x");
    checks::check_comments(&PHP, "<?php\nf();\n?>\n{\n<?php\ng();\n", "...##.");
}

#[test]
fn tells_comments() {
    let check = |program, marks| checks::check_comments(&PHP, program, marks);
    check("<?php\n// a\n# b\n#[C]\nf(); // d\n/* e\n f */\n", ".##..##");
    check("<?php\n$s = '\n// a';\n$t = \"\n{$u['\"']} # b\n\";\n$v = <<<W\n# c\nW;\n", "..#.##.##");
}

#[test]
fn classifies_infills() {
    let check = |infills: &[&str], kind| {
        for infill in infills {
            checks::check_kind(&PHP, infill, kind);
        }
    };
    check(&["use A\\B;\n", "use function A\\{f, g};\n", "  use A\\B as C;\n"], Import);
    check(
        &[
            "function f(int $x): int {\n",
            "function f($x)\n",
            "$f = function ($x) use ($y) {\n",
            "$f = fn($x) => $x + 1;\n",
        ],
        Function,
    );
    check(
        &["<?php\n", "for (;;) {\n", "} else {\n", "elseif ($x) {\n", "  foreach ($x as $y)\n"],
        Control,
    );
    check(
        &["$x = f(1);\n", "return $x;\n", "functional($x);\n", "class A {\n", "$x = new A;\n", ""],
        Statement,
    );
}

#[test]
fn sees_where_a_function_ends() {
    checks::check_function(&PHP, "function f($x)\n{\n    return \"}\" . $x;\n}\n", "f(1);");
    checks::check_function(&PHP, "$f = fn($x) =>\n    $x;\n", "");
}

#[test]
fn judges_insertions() {
    let program = "<?php\nfunction f(Node $x) {\n    return g($x) + $h(1);\n}\n";
    let check = |position, infill, defined| {
        checks::check_defined(&PHP, program, position, infill, defined);
    };
    check(1, "use A\\Node;\n", "Node");
    check(2, "    use A\\Node;\n", "");
    check(4, "use A\\Node;\n", "");
    check(1, "use A\\{Edge, Node};\n", "Node");
    check(1, "use function A\\g;\n", "g");
    check(1, "use function A\\Node;\n", "");
    check(1, "function g($x) { return $x; }\n", "g");
    check(4, "function g($x) { return $x; }\n", "g");
    check(0, "function g($x) { return $x; }\n", "");
    check(1, "function k($x) { return $x; }\n", "");
    check(2, "    $h = fn($x) => $x;\n", "$h");
    check(3, "    $h = fn($x) => $x;\n", "");
    check(1, "$h = fn($x) => $x;\n", "");
    let program = "<?php\n// a\nnamespace A;\nnew B;\n";
    checks::check_defined(&PHP, program, 1, "use A\\B;\n", "");
    checks::check_defined(&PHP, program, 2, "use A\\B;\n", "");
    checks::check_defined(&PHP, program, 3, "use A\\B;\n", "B");
    let program = "<?php\nclass A {\n    function m() { return g(); }\n}\n";
    checks::check_defined(&PHP, program, 2, "    function g() { return 1; }\n", "");
}

#[test]
fn survives() {
    checks::check_survives(
        &PHP,
        "<?php\ndeclare(strict_types=1);\nnamespace A;\nuse B\\{C as D};\n#[E] final class F \
         extends G { public function __construct(private ?H $i = null) { \
         parent::__construct(\"$j[0] {$k->l} \\\\\"); } }\n$m = static fn(int ...$n): int => \
         $n <=> <<<O\n  é {$p}\n  O;\nif ($q): echo `r`; else: ?> <b> é <?php endif;\n",
    );
    checks::check_survives(&PHP, "\né<b> <?= $a ?> é\n");
}

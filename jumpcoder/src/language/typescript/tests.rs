//! What TypeScript makes of whole, unfinished and broken programs. What it shares with JavaScript
//! is tested there.

use crate::language::InfillKind::{Control, Function, Import, Statement};
use crate::language::checks;
use crate::language::typescript::TYPESCRIPT;

fn check(program: &str, undefined: &str) {
    checks::check(&TYPESCRIPT, program, undefined);
}

#[test]
fn finds_undefined_names() {
    check("function f(x: number, y?: Foo): Bar[] { return x + y + z; }\n", "Bar Foo z");
    check("const f = async (a: Map<string, A>): Promise<B> => a.get(b)!;\n", "A B b");
    check("let x = y as T;\nlet z = <U>x;\nlet w = { a: x } satisfies V;\n", "T U V y");
    check("let a: [x: number, y?: A, ...rest: B[]], f: (this: C, n: number) => D;\n", "A B C D");
    check("let r: NodeJS.Timeout, s: ns.T, p: typeof process, q: typeof w;\n", "ns w");
    check("for (const [k, v] of new Map<string, number>()) { k + v + w; }\n", "w");
    check("let b: Buffer = Buffer.from('a'), r: Record<string, Partial<A>>;\n", "A");
    check("declare const x: number;\ndeclare function f(a: A): void;\nf(x);\n", "A");
    check(
        "@dec(a) class A { @Input() b: B; constructor(private c: C, d = c) { super(); } }\n",
        "B C Input a dec",
    );
}

#[test]
fn tells_values_from_types() {
    check("interface I { a: I; }\ntype T = I;\nlet x: I = T;\nI.a;\n", "I T");
    check("class C {}\nenum E { A, B = A }\nlet c: C = new C(), e: E = E.A;\nlet f: c;\n", "c");
    check(
        "import D, { type F, G } from 'm';\nimport type { H } from 'n';\nlet d: D<F, G, H> = G;\n",
        "",
    );
    check("namespace N { export type A = B; const x = y; }\nlet a: N.A = N.x;\n", "B y");
    check("import fs = require('fs');\nimport P = N.P;\nlet p: P = fs;\nexport = p;\n", "N");
    check("let x: Array<Iterable<A>> = Iterable;\n", "A Iterable");
}

#[test]
fn knows_type_parameters() {
    check("function f<T extends U, U = V>(x: T): x is U { return x; }\nlet y: T;\n", "T V");
    check(
        "class A<T> extends B<T> implements C<T, D> { x: T; m<S>(s: S): T { return s; } }\n",
        "B C D",
    );
    check(
        "interface I<T> extends J<T> { m<S>(s: S): T; [k: string]: T; new (x: K): L; (y: M): T }\n",
        "J K L M",
    );
    check("type A<T> = T extends Array<infer U> ? U : W;\n", "W");
    check("type M<T> = { readonly [K in keyof T as `a${K}`]?: T[K] };\ntype N = K;\n", "K");
    check("type F = <T>(x: T) => asserts x is T;\ntype G = new <S>(s: S) => T;\n", "T");
    check("abstract class A<T> { abstract m(x: T): B; protected abstract readonly n: T; }\n", "B");
    check("function f(x: string): A;\nfunction f(x: any) { return x; }\nf(1);\n", "A");
}

#[test]
fn reads_unfinished_programs() {
    let head = "class Stack<T> {\n  private items: T[] = [];\n  push(x: T): void {\n";
    check(head, "");
    check(&format!("{head}    for (const y of this.items) {{\n      z += y;\n"), "z");
    check(&format!("{head}    const s: Map<string, A> = new Map(\n"), "A");
    check(&format!("{head}    return `${{x as B}} ( ${{c\n"), "B c");
    check("interface A {\n  b: B;\n  c(d: D): C\n", "B C D");
}

#[test]
fn classifies_infills() {
    for import in
        ["import type { A } from 'b'\n", "import a = b.c;\n", "import a = require('b');\n"]
    {
        checks::check_kind(&TYPESCRIPT, import, Import);
    }
    for function in [
        "function f<T>(x: T): T {\n",
        "export async function f(x: number): Promise<void>\n",
        "const f = (x: number): number => x\n",
        "const f: F = (x) => {\n",
    ] {
        checks::check_kind(&TYPESCRIPT, function, Function);
    }
    checks::check_kind(&TYPESCRIPT, "  for (const x of xs) {\n", Control);
    for statement in ["const x: number = f(y);\n", "interface A {\n", "type A = () => void;\n"] {
        checks::check_kind(&TYPESCRIPT, statement, Statement);
    }
}

#[test]
fn sees_where_a_function_ends() {
    let function = "const f = (x: A): B | C =>\n  x as D\n";
    checks::check_function(&TYPESCRIPT, function, "let y");
    let function = "function f<T>({ a }: { a: T },\n  b: T): { c: T } {\n  return { c: a }\n}\n";
    checks::check_function(&TYPESCRIPT, function, "");
}

#[test]
fn judges_insertions() {
    let program = "export class A {\n  m(x: Node<A>): Node<A> {\n    return wrap(x);\n  }\n}\n";
    let check = |position, infill, defined| {
        checks::check_defined(&TYPESCRIPT, program, position, infill, defined);
    };
    check(0, "import { Node } from './node';\n", "Node");
    check(0, "import type { Node } from './node';\n", "Node");
    check(1, "import { Node } from './node';\n", "");
    check(2, "    import { Node } from './node';\n", "");
    check(0, "const Node = () => 1;\n", "");
    check(0, "function wrap<T>(x: T): T { return x; }\n", "wrap");
    check(2, "    const wrap = <T>(x: T): T => x\n", "wrap");
    check(1, "  function wrap<T>(x: T): T { return x; }\n", "");
}

#[test]
fn survives() {
    checks::check_survives(
        &TYPESCRIPT,
        "import a, { type b as c } from 'd';\n@e abstract class F<G extends H = I> extends J<K> { \
         private static #l?: M = /[/]\\/h/i as any; get n(): O { return `k${p! ? `m${q}` : <r>s}`; \
         } }\ndeclare namespace T.U { enum V { W = 1 } } // é\ntype X<Y> = Y extends (infer Z)[] ? \
         { [K in keyof Y]-?: `z${K}` } : asserts;\n",
    );
}

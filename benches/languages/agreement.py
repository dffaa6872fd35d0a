#!/usr/bin/env python3
"""How often the judge and a language's own compiler agree.

    cargo build --release
    python3 benches/languages/agreement.py --language java --programs humaneval-x/java.jsonl

From each program that compiles, something is removed: an import, a function, or a line of
another kind without which names are undefined. Then insertions are tried: what was removed, where
it was and at some other place, and imports and functions of other programs. For each, the compiler
and the judge are asked one question: does it define a name that was undefined? To the compiler
it does if fewer names are undefined outside of the inserted lines, and the program doesn't
become one that it can't parse.

Statements aren't judged by the tree, so a line of another kind only gives programs in which names
are undefined. In all programs, with and without what was removed, the two sets of undefined names
are compared as well: names with their lines.

Where the imports and functions of a program are is what the judge says (`jumpcoder inspect`); what
is tried doesn't depend on its verdicts. The same seed asks the same questions.
"""

import argparse
import collections
import dataclasses
import importlib
import json
import random
import subprocess
import sys

from compilers import Missing

# Parts of other programs that are tried in each.
NUM_OTHERS = 2


@dataclasses.dataclass
class Part:
    """Whole lines of a program, and what they are."""
    kind: str
    first_line: int
    text: str


@dataclasses.dataclass
class Program:
    """A program that lacks something, if it does, and what may be inserted into it."""
    name: str
    text: str
    lacks: str
    trials: list

    def with_trial(self, trial):
        lines = self.text.splitlines(keepends=True)
        lines[trial.line - 1:trial.line - 1] = [trial.text]
        return "".join(lines)


@dataclasses.dataclass
class Trial:
    """An insertion, and where it is from."""
    origin: str
    line: int
    text: str


def ended(text):
    """A text whose last line has an end."""
    return text if text.endswith("\n") else text + "\n"


def inspected(programs, args):
    """What the judge says of programs and of the trials in them."""
    requests = [json.dumps({
        "name": program.name, "language": args.language, "text": program.text,
        "insertions": [{"line": trial.line, "text": trial.text} for trial in program.trials],
    }) for program in programs]
    run = subprocess.run(
        [args.jumpcoder, "inspect", "--batch"], input="\n".join(requests).encode(),
        stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def parts_of(program, findings):
    """The imports and functions of a program that begin and end on lines of their own."""
    lines = program.text.splitlines(keepends=True)
    items = [("import", item) for item in findings["imports"]]
    items += [("function", item) for item in findings["functions"]]
    borders = collections.Counter(
        line for _, item in items for line in {item["first_line"], item["last_line"]})
    for kind, item in items:
        first, last = item["first_line"], item["last_line"]
        if borders[first] == borders[last] == 1:
            yield Part(kind, first, "".join(lines[first - 1:last]))


def other_lines(program, findings, draw, num_lines):
    """Some lines of a program that are neither imports, comments, nor mere brackets."""
    taken = set(findings["comment_lines"])
    for item in findings["imports"]:
        taken.update(range(item["first_line"], item["last_line"] + 1))
    lines = program.text.splitlines(keepends=True)
    free = [number for number, line in enumerate(lines, 1)
            if number not in taken and line.strip("{}();\n\t ")]
    for number in draw.sample(free, min(num_lines, len(free))):
        yield Part("line", number, lines[number - 1])


def without(program, part, draw, others, avoided):
    """The program without a part of it, and what is tried in it."""
    lines = program.text.splitlines(keepends=True)
    del lines[part.first_line - 1:part.first_line - 1 + part.text.count("\n")]
    anywhere = [line for line in range(1, len(lines) + 1) if line not in avoided]
    trials = []
    if part.kind != "line":
        trials.append(Trial("removed", part.first_line, part.text))
        trials.append(Trial("moved", draw.choice(anywhere or [1]), part.text))
    for other in others:
        line = part.first_line if part.kind == other.kind else draw.choice(anywhere or [1])
        trials.append(Trial(f"other {other.kind}", line, other.text))
    return Program(program.name, "".join(lines), part.kind, trials)


def shortened(programs, args):
    """Programs that lack a part, made of those that compile."""
    draw = random.Random(args.seed)
    findings = inspected(programs, args)
    parts = [list(parts_of(*pair)) for pair in zip(programs, findings)]
    candidates = [(idx, part) for idx, found in enumerate(parts) for part in found]
    for idx, program in enumerate(programs):
        chosen = draw.sample(parts[idx], min(args.num_parts, len(parts[idx])))
        chosen += other_lines(program, findings[idx], draw, args.num_lines)
        for part in chosen:
            drawn = draw.sample(candidates, min(NUM_OTHERS, len(candidates)))
            others = [other for at, other in drawn if at != idx]
            length = part.text.count("\n")
            avoided = {line if line < part.first_line else line - length
                       for line in findings[idx]["comment_lines"]}
            yield without(program, part, draw, others, avoided)


def named(uses):
    """Those of what a compiler says that are names."""
    return {(line, name) for line, name in uses if name}


def num_unparsed(uses):
    return sum(1 for _, name in uses if not name)


def is_reduced(before, after, trial):
    """Does the compiler say that an insertion defines names?"""
    num_lines = trial.text.count("\n")
    outside = {(line if line < trial.line else line - num_lines, name)
               for line, name in named(after)
               if not trial.line <= line < trial.line + num_lines}
    return bool(named(before) - outside) and num_unparsed(after) <= num_unparsed(before)


class Report:
    """Counts of agreement, and the first of what they disagree about."""

    def __init__(self):
        self.questions = collections.Counter()
        self.agreed = collections.Counter()
        self.num_accepted = 0
        self.sets = collections.Counter()
        self.shown = []

    def compare_sets(self, program, before, findings):
        judged = {(found["line"], found["name"]) for found in findings["undefined"]}
        missed, excess = named(before) - judged, judged - named(before)
        self.sets["programs"] += 1
        self.sets["equal"] += not missed and not excess
        self.sets["names"] += len(named(before))
        self.sets["missed"] += len(missed)
        self.sets["excess"] += len(excess)
        for sign, uses in [("-", missed), ("+", excess)]:
            for line, name in sorted(uses):
                text = program.text.splitlines()[line - 1].strip()
                self.shown.append(f"set {sign} {name}: {program.name}:{line}: {text}")

    def compare_trial(self, program, trial, expected, verdict):
        kind = f"{program.lacks}, {trial.origin}"
        accepted = verdict["accepted"]
        self.questions[kind] += 1
        self.agreed[kind] += accepted == expected
        self.num_accepted += expected
        if accepted != expected:
            first = trial.text.strip().splitlines()[0]
            self.shown.append(
                f"trial ({kind}) compiler {expected}, judge {accepted} {verdict['defines']}: "
                f"{program.name}:{trial.line}: {first}")

    def print(self, num_shown):
        for text in self.shown[:num_shown]:
            print(text)
        print("\n| lacks, inserted | questions | agreed |\n|---|---|---|")
        for kind in sorted(self.questions):
            print(f"| {kind} | {self.questions[kind]} | {self.agreed[kind]} |")
        total, agreed = self.questions.total(), self.agreed.total()
        print(f"| **all** ({self.num_accepted} define a name) | {total} | {agreed}: "
              f"{agreed / max(1, total):.2%} |")
        sets = self.sets
        print(f"\nsets of undefined names: equal in {sets['equal']} of {sets['programs']} programs "
              f"({sets['equal'] / max(1, sets['programs']):.2%}); of {sets['names']} names "
              f"{sets['missed']} missed, {sets['excess']} more than the compiler's")


def compare(compiler, args):
    """Asks both about everything."""
    texts = [Program(name, ended(text), "nothing", [])
             for name, text in compiler.programs(args.programs)]
    random.Random(args.seed).shuffle(texts)
    texts = texts[:args.limit]
    wrong = compiler.undefined([program.text for program in texts])
    whole = [program for program, uses in zip(texts, wrong) if not uses]
    print(f"{args.language}: {len(whole)} of {len(texts)} programs have no undefined names")
    lacking = list(shortened(whole, args))
    before = compiler.undefined([program.text for program in lacking])
    # A line may be half a statement: then the compiler can't say what is undefined.
    asked = [(program, uses) for program, uses in zip(lacking, before)
             if named(uses) and not num_unparsed(uses)]
    trials = [(program, trial) for program, _ in asked for trial in program.trials]
    after = iter(compiler.undefined([program.with_trial(trial) for program, trial in trials]))
    report = Report()
    for program, findings in zip(whole, inspected(whole, args)):
        report.compare_sets(program, [], findings)
    for (program, uses), findings in zip(asked, inspected([one for one, _ in asked], args)):
        report.compare_sets(program, uses, findings)
        for trial, verdict in zip(program.trials, findings["insertions"]):
            expected = is_reduced(uses, next(after), trial)
            if verdict["kind"] in ("import", "function"):
                report.compare_trial(program, trial, expected, verdict)
    report.print(args.show)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--language", required=True, help="a module in benches/languages/compilers")
    parser.add_argument("--programs", required=True, metavar="PATH",
                        help="a file in HumanEval-X's layout, or a folder of sources")
    parser.add_argument("--limit", type=int, metavar="N", help="only N programs, drawn by the seed")
    parser.add_argument("--num-parts", type=int, default=2, metavar="N",
                        help="imports and functions removed of a program [default: 2]")
    parser.add_argument("--num-lines", type=int, default=1, metavar="N",
                        help="other lines removed of a program [default: 1]")
    parser.add_argument("--seed", type=int, default=0, help="[default: 0]")
    parser.add_argument("--show", type=int, default=12, metavar="N",
                        help="disagreements printed [default: 12]")
    parser.add_argument("--jumpcoder", default="target/release/jumpcoder", metavar="PATH",
                        help="the binary [default: target/release/jumpcoder]")
    args = parser.parse_args()
    try:
        compare(importlib.import_module(f"compilers.{args.language}"), args)
    except Missing as missing:
        sys.exit(f"{args.language}: {missing}")


if __name__ == "__main__":
    main()

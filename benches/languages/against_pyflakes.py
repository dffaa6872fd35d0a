#!/usr/bin/env python3
"""Do we call the same names undefined in Python as pyflakes does?

    pip install pyflakes
    python3 benches/languages/against_pyflakes.py [--limit N] [--seed N] [--jobs N]
        [--jumpcoder target/release/jumpcoder] [--details FILE] [FOLDER ...]

Takes every file of the folders that this Python can parse (without folders: its standard library),
or N of them drawn by the seed, and compares the sets of undefined names, file by file:

  whole     as it is
  import    with one import statement taken out, drawn by the seed
  prefix    cut after a line drawn by the seed, inside a statement or not. pyflakes can't read that,
            so what we report there must be a name that it reports of the whole file, or that is
            bound below the cut. And what it reports of statements above the cut we should report.

Of pyflakes' messages `UndefinedName` counts. Three others are about something else: `UndefinedLocal`
(bound in this scope, only later), `UndefinedExport` (a string of `__all__` that names nothing), and
`ImportStarUsage` (after `import *`, neither of us calls anything undefined).

Disagreements go to --details as JSON lines: a file, what was done to it, the names that only one
of us reports, and the text that was judged.
"""

import argparse
import ast
import json
import random
import subprocess
import sys
import sysconfig
import tokenize
import warnings
from collections import Counter
from multiprocessing import Pool
from pathlib import Path

from pyflakes import checker, messages

SKIPPED_FOLDERS = {"site-packages"}


def read(path):
    """A file's text and tree; None if it isn't a program of this Python."""
    try:
        with tokenize.open(path) as file:
            text = file.read()
        return text, parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError, LookupError):
        return None


def parse(text):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def undefined(tree, path):
    """The lines of each name that pyflakes calls undefined."""
    found = {}
    for message in checker.Checker(tree, filename=str(path)).messages:
        if isinstance(message, messages.UndefinedName):
            found.setdefault(message.message_args[0], []).append(message.lineno)
    return found


def without_import(text, tree, draw):
    """The text without one of its import statements; None if there is none to take out."""
    lines = text.splitlines(keepends=True)
    imports = [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        and getattr(node, "module", "") != "__future__"
        and is_alone(node, lines)
    ]
    if not imports:
        return None
    node = draw.choice(imports)
    before, after = lines[: node.lineno - 1], lines[node.end_lineno :]
    for filler in ([], [lines[node.lineno - 1][: node.col_offset] + "pass\n"]):
        changed = "".join(before + filler + after)
        try:
            return changed, parse(changed)
        except SyntaxError:
            pass  # It was the only statement of its block.
    return None


def is_alone(node, lines):
    """Does nothing else stand on the lines of a statement?"""
    before = lines[node.lineno - 1].encode()[: node.col_offset]
    after = lines[node.end_lineno - 1].encode()[node.end_col_offset :]
    return not before.strip() and (not after.strip() or after.strip().startswith(b"#"))


def bound_below(tree, line):
    """The names that are bound anywhere below a line."""
    found = set()
    for node in ast.walk(tree):
        if getattr(node, "end_lineno", 0) <= line:
            continue
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name.split(".")[0])
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            found.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            found.add(node.rest)
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            found.add("*")
    return found


def last_lines(tree):
    """For each line of a simple statement or a compound one's head, the last line of that."""
    lasts = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None) or getattr(node, "cases", None)
            last = body[0].lineno if body and hasattr(body[0], "lineno") else node.end_lineno
            for line in range(node.lineno, last + 1):
                lasts[line] = max(last, lasts.get(line, 0))
    return lasts


def cases(job):
    """What is to be judged of one file: (kind, text, must be reported, may be reported)."""
    path, seed = job
    program = read(path)
    if program is None:
        return path, None
    text, tree = program
    draw = random.Random(f"{seed} {path.name} {len(text)}")
    whole = undefined(tree, path)
    found = [("whole", text, set(whole), set(whole))]
    changed = without_import(text, tree, draw)
    if changed:
        names = set(undefined(changed[1], path))
        found.append(("import", changed[0], names, names))
    lines = text.splitlines(keepends=True)
    if len(lines) > 1:
        cut = draw.randrange(1, len(lines))
        lasts = last_lines(tree)
        # What is bound below the cut may be what made it undefined above.
        must = {
            name for name, uses in whole.items() if any(lasts.get(use, use) <= cut for use in uses)
        }
        may = set(whole) | bound_below(tree, cut)
        found.append(("prefix", "".join(lines[:cut]), must, may))
    return path, found


def judged(jumpcoder, texts):
    """The sets of names that we call undefined."""
    requests = (
        json.dumps({"name": str(idx), "language": "python", "text": text})
        for idx, text in enumerate(texts)
    )
    run = subprocess.run(
        [jumpcoder, "inspect", "--batch"], input="\n".join(requests).encode(), capture_output=True
    )
    if run.returncode != 0:
        sys.exit(f"{jumpcoder} ended with {run.returncode}: {run.stderr.decode()}")
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    return [{found["name"] for found in answer["undefined"]} for answer in answers]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--jumpcoder", default="target/release/jumpcoder")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--details", type=argparse.FileType("w"))
    args = parser.parse_args()
    folders = args.folders or [Path(sysconfig.get_path("stdlib"))]
    paths = [
        path
        for folder in folders
        for path in sorted(folder.rglob("*.py"))
        if not SKIPPED_FOLDERS & set(path.relative_to(folder).parts)
    ]
    if args.limit and args.limit < len(paths):
        paths = sorted(random.Random(args.seed).sample(paths, args.limit))
    with Pool(args.jobs) as pool:
        results = pool.map(cases, [(path, args.seed) for path in paths], chunksize=16)
    flat = [(path, *case) for path, found in results for case in found or []]
    ours = judged(args.jumpcoder, [text for _, _, text, _, _ in flat])
    totals, disagreeing, missing = Counter(), Counter(), Counter()
    for (path, kind, text, must, may), names in zip(flat, ours):
        only_us, only_pyflakes = sorted(names - may), sorted(must - names)
        totals[kind] += 1
        wrong = only_us or (only_pyflakes and kind != "prefix")
        disagreeing[kind] += bool(wrong)
        missing[kind] += bool(only_pyflakes)
        if args.details and (only_us or only_pyflakes):
            row = {"path": str(path), "kind": kind, "only_us": only_us}
            print(json.dumps({**row, "only_pyflakes": only_pyflakes, "text": text}), file=args.details)
    num_unread = sum(found is None for _, found in results)
    print(f"{len(paths)} files, {num_unread} of them no programs of Python {sys.version.split()[0]}")
    for kind, total in totals.items():
        share = 100 * (1 - disagreeing[kind] / total)
        print(
            f"{kind:8} {total:6} texts, {disagreeing[kind]:4} differ: {share:.2f} % agree; "
            f"{missing[kind]} lack a name of pyflakes'"
        )


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What it costs to judge a candidate as the authors' code does: parse it anew, walk over its nodes.

    python3 benches/languages/parse_again.py [--num-runs N] [PROGRAM]

Prints the seconds that N runs take together. The bench `judging` of `cargo bench -p jump-benches`
calls it. Only the walk is timed, with nothing done at its nodes, and without starting a Python.
"""

import argparse
import ast
import time
from pathlib import Path


def judged(text):
    for _ in ast.walk(ast.parse(text)):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", nargs="?", type=Path,
                        default=Path(__file__).with_name("program.py"))
    parser.add_argument("--num-runs", type=int, default=2000, metavar="N")
    args = parser.parse_args()
    text = "import functools\n" + args.program.read_text()
    start = time.perf_counter()
    for _ in range(args.num_runs):
        judged(text)
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main()

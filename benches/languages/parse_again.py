#!/usr/bin/env python3
"""What it costs to judge a candidate as the authors' code does: parse it anew, walk over its nodes.

    python3 benches/languages/parse_again.py [PROGRAM]

Beside it stands the bench `judging` of `cargo bench -p jump-benches`, on the same program. Only the
walk is timed, with nothing done at its nodes, and without starting a Python.
"""

import ast
import statistics
import sys
import time
from pathlib import Path

NUM_RUNS = 2000


def judged(text):
    for _ in ast.walk(ast.parse(text)):
        pass


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("program.py")
    text = "import functools\n" + Path(path).read_text()
    taken = []
    for _ in range(NUM_RUNS):
        start = time.perf_counter()
        judged(text)
        taken.append(time.perf_counter() - start)
    print(f"median {statistics.median(taken) * 1e6:.0f} us, best {min(taken) * 1e6:.0f} us")


if __name__ == "__main__":
    main()

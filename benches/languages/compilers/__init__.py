"""Each language's compiler, asked which names it calls undefined. A module a language.

A module has two functions:

- `undefined(texts)`: for each program of a list, what its compiler calls undefined, as a list of
  (line from 1, name); a line that it can't parse is (line, ""). Raises `Missing`.
- `programs(path)`: yields (name, text) of the whole programs in a file of HumanEval-X or a folder.
"""

import json
import os
import pathlib


class Missing(Exception):
    """The compiler isn't installed; the text says how to get it."""


def problems(path):
    """The (name, problem) of a file in HumanEval-X's layout; none of a folder."""
    if not os.path.isdir(path):
        with open(path, encoding="utf-8") as file:
            for problem in map(json.loads, file):
                yield problem["task_id"], problem


def sources(path, pattern):
    """The (name, text) of a folder's files; none of a file."""
    for file in sorted(pathlib.Path(path).rglob(pattern)):
        yield str(file.relative_to(path)), file.read_text(encoding="utf-8-sig")

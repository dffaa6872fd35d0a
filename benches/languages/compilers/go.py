"""What go/types calls undefined; all programs are checked in one process."""

import pathlib
import re
import shutil
import struct
import subprocess

from . import Missing, problems, sources

# Some problems use these without an import: their benchmark's own runner adds it.
ADDED = ("fmt", "math", "sort", "strconv", "strings")


def undefined(texts):
    """See `compilers`."""
    if shutil.which("go") is None:
        raise Missing("no `go` in the PATH: install Go, 1.18 or later")
    driver = pathlib.Path(__file__).with_name("Go.go")
    encoded = [text.encode() for text in texts]
    request = b"".join(struct.pack(">I", len(text)) + text for text in encoded)
    run = subprocess.run(
        ["go", "run", str(driver)], input=request, stdout=subprocess.PIPE, check=True)
    found = [[]]
    for line in run.stdout.decode().splitlines():
        if line == ".":
            found.append([])
        else:
            number, name = line.split(" ", 1)
            found[-1].append((int(number), name))
    return found[:len(texts)]


def programs(path):
    """See `compilers`."""
    for name, problem in problems(path):
        code = problem["prompt"] + problem["canonical_solution"] + "\n" + problem["test"]
        yield name, problem["test_setup"] + "\n" + added(code) + code
    yield from sources(path, "*.go")


def added(code):
    """The imports that a program lacks."""
    is_missing = lambda package: f'"{package}"' not in code and re.search(rf"\b{package}\.", code)
    return "".join(f'import "{package}"\n' for package in filter(is_missing, ADDED))

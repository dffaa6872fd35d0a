"""What javac calls undefined; all programs are compiled in one process."""

import pathlib
import shutil
import struct
import subprocess

from . import Missing, problems, sources


def undefined(texts):
    """See `compilers`."""
    if shutil.which("javac") is None:
        raise Missing("no `javac` in the PATH: install a JDK, 17 or later")
    driver = pathlib.Path(__file__).with_name("Javac.java")
    encoded = [text.encode() for text in texts]
    request = b"".join(struct.pack(">I", len(text)) + text for text in encoded)
    run = subprocess.run(
        ["java", "-XX:+UseSerialGC", "--add-exports",
         "jdk.compiler/com.sun.tools.javac.api=ALL-UNNAMED", str(driver)],
        input=request, stdout=subprocess.PIPE, check=True)
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
        yield name, problem["prompt"] + problem["canonical_solution"] + "\n" + problem["test"]
    yield from sources(path, "*.java")

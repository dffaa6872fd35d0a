"""What Mono's C# compiler calls undefined; all programs are compiled in one process.

Once a type is missing in a declaration, the compiler doesn't look at the bodies. So missing types
are given to it, empty, and the program is compiled again, until nothing more is missing. If it
doesn't come to the bodies even then, whatever the reason, it is as if it couldn't parse them.
"""

import collections
import pathlib
import re
import shutil
import subprocess
import tempfile

from . import Missing, problems, sources

MESSAGE = re.compile(r"^[^(\n]*\((\d+),\d+[^)]*\): error CS0*(\d+): [^`\n]*(?:`([\w@]+))?", re.M)
# A name in an expression, a type, a variable before its declaration.
UNDEFINED = {"103", "246", "841"}
# Where the compiler says nothing of this, it hasn't come to the bodies.
CANARY = "\nclass Canary_ { int Sing() { return canary_; } }\n"
NUM_ROUNDS = 4


def undefined(texts):
    """See `compilers`."""
    found = [set() for _ in texts]
    stubs = collections.defaultdict(set)
    open_ones = list(range(len(texts)))
    for _ in range(NUM_ROUNDS):
        completed = [texts[idx] + stubbed(stubs[idx]) + CANARY for idx in open_ones]
        still_open = []
        for idx, messages in zip(open_ones, compiled(completed)):
            uses = {(int(line), name) for line, code, name in messages if code in UNDEFINED}
            has_sung = any(name == "canary_" for _, name in uses)
            num_lines = texts[idx].count("\n")
            found[idx].discard((1, ""))
            found[idx].update(use for use in uses if use[0] <= num_lines)
            found[idx].update([] if has_sung else [(1, "")])
            types = {name for _, code, name in messages if code == "246"} - stubs[idx]
            if types:
                stubs[idx] |= types
                still_open.append(idx)
        open_ones = still_open
    return [sorted(uses) for uses in found]


def stubbed(names):
    """Empty types of these names, with and without type parameters."""
    parameters = ["", "<A>", "<A, B>", "<A, B, C>"]
    return "".join(f"\ninterface {name}{these} {{ }}" for name in names for these in parameters)


def compiled(texts):
    """The messages of the compiler on each program, in parts: line, code, name."""
    for tool in ["mcs", "mono"]:
        if shutil.which(tool) is None:
            raise Missing(f"no `{tool}` in the PATH: install Mono")
    source = pathlib.Path(__file__).with_name("Mcs.cs")
    with tempfile.TemporaryDirectory(prefix="agreement-") as folder:
        driver = pathlib.Path(folder, "driver.exe")
        subprocess.run(["mcs", f"-out:{driver}", str(source)], check=True)
        paths = []
        for idx, text in enumerate(texts):
            paths.append(driver.with_name(f"{idx}.cs"))
            paths[-1].write_text(text)
        run = subprocess.run(
            ["mono", str(driver)], input="\n".join(map(str, paths)), stdout=subprocess.PIPE,
            check=True, text=True)
    return [MESSAGE.findall(part) for part in run.stdout.split("\n.\n")[:len(texts)]]


def programs(path):
    """See `compilers`. The prompts of HumanEval in C# have no solutions; of a folder, only the
    files are programs that the compiler takes as they are, as it doesn't know all of C#."""
    for name, problem in problems(path):
        body = "        throw new NotImplementedException();\n"
        yield name, problem["prompt"] + body + problem["tests"]
    files = [(name, with_braces(text)) for name, text in sources(path, "*.cs")]
    for file, messages in zip(files, compiled([text for _, text in files])):
        if not messages:
            yield file


def with_braces(text):
    """The program without a namespace for the whole file, which Mono's compiler doesn't know."""
    braced, num_replaced = re.subn(r"^(namespace [\w.]+);", r"\1 {", text, flags=re.M)
    return braced + "\n}\n" if num_replaced else text

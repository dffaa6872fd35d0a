"""What rustc calls undefined.

A process takes many programs, each as a module. But an import that isn't there, or a text that
can't be parsed, keeps rustc from looking for other names; so a program with such an error is asked
about alone, as is one that speaks of its crate.
"""

import json
import pathlib
import re
import shutil
import subprocess
import tempfile

from . import Missing, problems, sources

# Programs of one process: if one has an early error, all others are asked about again.
NUM_AT_ONCE = 64
COMMAND = ["rustc", "--edition", "2021", "--test", "--emit", "metadata",
           "--error-format", "json", "-A", "warnings", "--out-dir", "."]
OF_CRATE = re.compile(r"\bcrate::|^#!\[", re.MULTILINE)
# What is said of a name that isn't there, or not as what it is used as.
MISSING = re.compile(r"cannot find [^`]* `(\w+)` in this scope|expected [^`]*, found [^`]* `(\w+)`")
NO_MODULE = re.compile(r"(?:undeclared type|unlinked crate|no external crate) `(\w+)`")
# Crates that the heads of HumanEval-X's programs import, mostly without need.
FOREIGN = re.compile(r"^use (?:rand|regex|md5)\b.*\n", re.MULTILINE)


def undefined(texts):
    """See `compilers`."""
    if shutil.which("rustc") is None:
        raise Missing("no `rustc` in the PATH: install Rust, 1.85 or later")
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        for idx, text in enumerate(texts):
            (folder / f"program_{idx}.rs").write_text(text)
        alone = [idx for idx, text in enumerate(texts) if OF_CRATE.search(text)]
        together = sorted(set(range(len(texts))) - set(alone))
        for first in range(0, len(together), NUM_AT_ONCE):
            alone += ask_together(folder, together[first:first + NUM_AT_ONCE], found)
        for idx in alone:
            found[idx] = ask(folder, f"program_{idx}.rs").get(idx, [])
    return [[use for _, uses in map(read, found[idx]) for use in uses]
            for idx in range(len(texts))]


def ask_together(folder, group, found):
    """Asks about programs of which none has an early error; gives back the others."""
    early = []
    while group:
        modules = [f'#[path = "program_{idx}.rs"] mod program_{idx};\n' for idx in group]
        (folder / "all.rs").write_text("".join(modules))
        said = ask(folder, "all.rs")
        is_early = lambda idx: any(read(error)[0] for error in said.get(idx, []))
        now_early = [idx for idx in group if is_early(idx)]
        group = [idx for idx in group if not is_early(idx)]
        early += now_early
        if not now_early:
            found.update((idx, said.get(idx, [])) for idx in group)
            break
    return early


def ask(folder, file):
    """rustc's errors of each program, by their indices."""
    run = subprocess.run([*COMMAND, file], cwd=folder, stderr=subprocess.PIPE, check=False)
    said = {}
    for error in map(json.loads, run.stderr.decode().splitlines()):
        spans = [span for span in error.get("spans", []) if span["is_primary"]]
        if error.get("level") == "error" and spans:
            idx = re.fullmatch(r"program_(\d+)\.rs", spans[0]["file_name"])
            if idx:
                said.setdefault(int(idx.group(1)), []).append((error, spans))
    return said


def read(error_and_spans):
    """Does an error keep rustc from looking further? And what it says is undefined."""
    error, spans = error_and_spans
    code = (error["code"] or {}).get("code")
    if code == "E0432":
        names = [(span, NO_MODULE.search(span["label"] or "")) for span in spans]
        return True, [(span["line_start"], name.group(1) if name else "") for span, name in names]
    line = spans[0]["line_start"]
    missing = MISSING.match(error["message"])
    if missing and code != "E0574":
        return False, [(line, missing.group(1) or missing.group(2))]
    if code == "E0434":
        text = spans[0]["text"][0]
        return False, [(line, text["text"][text["highlight_start"] - 1:text["highlight_end"] - 1])]
    return (False, []) if code else (True, [(line, "")])


def programs(path):
    """See `compilers`."""
    for name, problem in problems(path):
        code = problem["prompt"] + problem["declaration"] + problem["canonical_solution"]
        yield name, FOREIGN.sub("", code + "\n" + problem["test"])
    yield from sources(path, "*.rs")

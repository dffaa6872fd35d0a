#!/usr/bin/env python3
"""Writes the tables of this folder: what the standard library of the Rust that runs it shows.

    python3 tables.py

The library's own documentation isn't needed: rustdoc documents what a crate passes on.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

CRATE = """#![no_implicit_prelude]
pub mod prelude { #[doc(inline)] pub use ::std::prelude::rust_2021::*; }
pub mod std { #[doc(inline)] pub use ::std::*; }
"""

# By the names of `Spaces`; attributes and the like are no names of programs.
SPACES = {
    "type": ["enum", "mod", "struct", "trait", "traitalias", "type", "union"],
    "function": ["constant", "fn", "static"],
    "macro": ["macro"],
}
# Intrinsics of processors and of the compiler; modules of mere re-exports are shown empty.
LEFT_OUT = ["arch", "core_arch", "intrinsics", "prelude", "simd"]


def main():
    folder = pathlib.Path(__file__).parent
    with tempfile.TemporaryDirectory() as scratch:
        source = pathlib.Path(scratch, "library.rs")
        source.write_text(CRATE)
        subprocess.run(
            ["rustdoc", "--edition", "2021", source.name, "-o", "doc"],
            cwd=scratch, stderr=sys.stderr, check=True)
        shown = pathlib.Path(scratch, "doc", "library")
        version = subprocess.run(
            ["rustc", "--version"], stdout=subprocess.PIPE, text=True, check=True)
        head = f"# Rust {version.stdout.split()[1]}, by tables.py\n"
        (folder / "prelude.txt").write_text(head + "".join(prelude(shown)))
        (folder / "modules.txt").write_text(head + "".join(modules(shown / "std", "")))


def prelude(shown):
    """A line for each of the spaces."""
    items = items_of(shown / "prelude")
    variants = [name for enum in items["enum"] for name in variants_of(shown / "prelude", enum)]
    for space, kinds in SPACES.items():
        names = {name for kind in kinds for name in items.get(kind, [])}
        yield line(space, names | set(variants) if space == "function" else names)


def modules(folder, path):
    """A line for each module, and for each enum with what its variants are."""
    items = items_of(folder)
    names = [name for kinds in SPACES.values() for kind in kinds for name in items.get(kind, [])]
    if path and names:
        yield line(path, names)
    for enum in sorted(items.get("enum", [])):
        yield line(joined(path, enum), variants_of(folder, enum))
    for module in sorted(set(items.get("mod", [])) - set(LEFT_OUT)):
        yield from modules(folder / module, joined(path, module))


def items_of(folder):
    """The names in a module by their kinds, as the pages of rustdoc load them."""
    text = (folder / "sidebar-items.js").read_text()
    return json.loads(re.fullmatch(r"window\.SIDEBAR_ITEMS = (.*);", text).group(1))


def variants_of(folder, enum):
    return re.findall(r'id="variant\.(\w+)"', (folder / f"enum.{enum}.html").read_text())


def joined(path, name):
    return f"{path}::{name}" if path else name


def line(head, names):
    return " ".join([head, *sorted(set(names))]) + "\n"


if __name__ == "__main__":
    main()

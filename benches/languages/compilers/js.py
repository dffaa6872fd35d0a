"""What TypeScript's compiler calls undefined in JavaScript; see `tsc.js`."""

import json
import os
import pathlib
import shutil
import subprocess

from . import Missing, problems, sources


def ask(texts, extension):
    """What the compiler says of programs in files of that extension."""
    if shutil.which("node") is None:
        raise Missing("no `node` in the PATH: install node, 20 or later")
    driver = pathlib.Path(__file__).with_name("tsc.js")
    where = os.environ.get("NODE_PATH", ".")
    run = subprocess.run(
        ["node", "--max-old-space-size=4096", str(driver), extension],
        input=json.dumps(texts).encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if b"Cannot find module" in run.stderr:
        raise Missing(f"no TypeScript in NODE_PATH ({where}): `npm install typescript@5 "
                      "@types/node@20` in some folder, and NODE_PATH=that folder/node_modules")
    run.check_returncode()
    return [[tuple(use) for use in uses] for uses in json.loads(run.stdout)]


def undefined(texts):
    """See `compilers`."""
    return ask(texts, "mjs")


def programs(path):
    """See `compilers`."""
    for name, problem in problems(path):
        yield name, problem["prompt"] + problem["canonical_solution"] + "\n" + problem["test"]
    yield from sources(path, "*.js")

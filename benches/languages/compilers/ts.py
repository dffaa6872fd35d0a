"""What TypeScript's compiler calls undefined in TypeScript; see `tsc.js`."""

from . import problems, sources
from .js import ask


def undefined(texts):
    """See `compilers`."""
    return ask(texts, "mts")


def programs(path):
    """See `compilers`; JavaScript is TypeScript, too."""
    for name, problem in problems(path):
        yield name, problem["prompt"] + problem["canonical_solution"] + "\n" + problem["test"]
    yield from sources(path, "*.ts")

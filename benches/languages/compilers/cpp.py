"""What g++ calls undefined.

After an undefined name, g++ is silent about its other uses in a function, and about most of a
declaration whose type it is. So what it names is replaced by something that is defined, and g++ is
asked again, until it names nothing more. Only what it can't parse even then is an error in the
text. The headers that programs begin with are compiled once for all that begin so.
"""

import collections
import concurrent.futures
import dataclasses
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

from . import Missing, problems, sources

COMMAND = ["g++", "-std=gnu++17", "-x", "c++", "-w"]
QUESTION = ["-fsyntax-only", "-fmax-errors=0", "-fdiagnostics-format=json"]
# What a compiled prelude costs is what so many programs cost without.
MIN_SHARED = 3
# How often g++ is asked of one program, at most.
MAX_ROUNDS = 100

# What stands for an undefined name: a type, a template, a value.
STAND_INS = """
struct stand_in_type {
  using iterator = stand_in_type;
  using const_iterator = stand_in_type;
  using size_type = stand_in_type;
  using value_type = stand_in_type;
  template <class... A> stand_in_type(A &&...);
  int *begin();
  int *end();
};
template <class...> struct stand_in_template : stand_in_type {
  template <class... A> stand_in_template(A &&...);
};
extern stand_in_type stand_in_value;
namespace std { using ::stand_in_type, ::stand_in_template, ::stand_in_value; }
namespace __gnu_pbds { using ::stand_in_type, ::stand_in_template, ::stand_in_value; }
"""

NAME = r"‘(?P<name>[\w:]+)(?:<.*>)?’"
# Messages that name what is undefined, at its place.
UNDEFINED = [re.compile(pattern) for pattern in [
    rf"{NAME} was not declared in this scope",
    rf"{NAME} does not name a (?:template )?type",
    rf"{NAME} in namespace ‘(?P<space>std|__gnu_pbds)[\w:]*’ does not name a (?:template )?type",
    rf"{NAME} has not been declared",
    rf"{NAME} is not a member of ‘(?P<space>std|__gnu_pbds)[\w:]*’",
    rf"{NAME} is not a (?:template|namespace-name|class, namespace, or enumeration)",
    rf"there are no arguments to {NAME} that depend",
    r"no template named ‘(?P<name>\w+)’",
]]
# Messages about a class that is only announced, which stands before their place if anywhere.
CLASS = r"(?:const )?(?:class |struct )?(?:\w+::)*"
INCOMPLETE = re.compile(rf"‘{CLASS}(?P<name>\w+)(?:<.*>)?(?: \w+)?’.* incomplete|"
                        rf"incomplete type ‘{CLASS}(?P<other>\w+)")
UNPARSED = re.compile(r"expected |stray |missing terminating|unterminated|.*(?:not allowed here|"
                      r"cannot appear at block scope|No such file)")
PRELUDE = re.compile(r"(?:[ \t]*(?:#\s*include\s*<[\w./+]+>|using namespace std;|//[^\n]*|"
                     r"/\*(?:(?!\*/).)*\*/)?[ \t]*\n)*", re.S)


def undefined(texts):
    """See `compilers`."""
    if shutil.which("g++") is None:
        raise Missing("no `g++` in the PATH: install GCC, 12 or later")
    alike = collections.defaultdict(list)
    for idx, text in enumerate(texts):
        alike[prelude_of(text)].append(idx)
    found = [None] * len(texts)

    def ask(prelude):
        asked = alike[prelude]
        with Desk(prelude, len(asked) >= MIN_SHARED) as desk:
            for idx in asked:
                found[idx] = desk.undefined(texts[idx])

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(ask, alike))
    return found


def programs(path):
    """See `compilers`."""
    for name, problem in problems(path):
        yield name, problem["prompt"] + problem["canonical_solution"] + "\n" + problem["test"]
    yield from sources(path, "*.cpp")


def prelude_of(text):
    """The headers that a program begins with, if they exist."""
    prelude = PRELUDE.match(text).group()
    lines = re.sub(r"/\*.*?\*/|//[^\n]*", "", prelude, flags=re.S).split("\n")
    return "\n".join(line.strip() for line in lines if line.strip())


class Desk:
    """A folder where programs are compiled that begin with the same headers."""

    def __init__(self, prelude, is_shared):
        self.folder = tempfile.TemporaryDirectory()
        self.program = pathlib.Path(self.folder.name, "program.cpp")
        self.header = pathlib.Path(self.folder.name, "prelude.h")
        self.header.write_text(f"{STAND_INS}\n{prelude}\n")
        if is_shared:
            subprocess.run([*COMMAND[:3], "c++-header", self.header], stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def errors(self, text):
        """The messages of g++ as (line, column, text), what is counted from 0."""
        blank = re.sub(r"[^\n]", " ", PRELUDE.match(text).group())
        self.program.write_text(blank + text[len(blank):])
        command = [*COMMAND, *QUESTION, "-include", self.header, self.program]
        said = subprocess.run(command, stderr=subprocess.PIPE, text=True).stderr
        for error in json.loads(said[said.index("["):].splitlines()[0]):
            caret = error["locations"][0]["caret"] if error["locations"] else {}
            if error["kind"].endswith("error") and caret.get("file") == str(self.program):
                yield caret["line"] - 1, caret["byte-column"] - 1, error["message"]
            elif error["kind"].endswith("error"):
                # In a header: that isn't there, or stands where it may not.
                yield 0, 0, f"{error['message']} in a header"

    def undefined(self, text):
        """What is undefined in a program, as (line, name)."""
        found = set()
        for _ in range(MAX_ROUNDS):
            errors = list(self.errors(text))
            lines = text.split("\n")
            uses = {use for error in errors for use in [named(lines, *error)] if use}
            types = {use for use in uses if use.stand_in != "stand_in_value"}
            # Where a type is undefined, so is what was declared with it.
            for use in sorted(types or uses, reverse=True):
                found.add((use.line + 1, use.name))
                text = lines[use.line]
                lines[use.line] = text[:use.start] + use.replacement() + text[use.end:]
            text = "\n".join(lines)
            if not uses:
                break
        broken = {(line + 1, "") for line, _, message in errors if UNPARSED.match(message)}
        return sorted(found | broken)


@dataclasses.dataclass(frozen=True, order=True)
class Use:
    """A use of something undefined, and what it is replaced by."""
    line: int
    start: int
    end: int
    name: str
    stand_in: str

    def replacement(self):
        space, _, _ = self.name.rpartition("::")
        return f"{space}::{self.stand_in}" if space else self.stand_in


def use_at(lines, line, start, end):
    """The use that takes some columns of a line, with the `std::` before it."""
    text = lines[line]
    space = re.search(r"\b(?:std|__gnu_pbds)\s*::\s*$", text[:start])
    start = space.start() if space else start
    name = re.sub(r"\s", "", text[start:end])
    if not name or "stand_in" in name:
        return None
    after = " ".join([text[end:], *lines[line + 1:line + 2]])
    if re.match(r"\s*<[^<=]", after):
        return Use(line, start, end, name, "stand_in_template")
    if re.match(r"\s*(?:[*&]*\s*\w+\s*[;,=()\[{:]|[*&]+\s*[>,)]|::|>|\s*\{)", after):
        return Use(line, start, end, name, "stand_in_type")
    return Use(line, start, end, name, "stand_in_value")


def named(lines, line, column, message):
    """The use that an error calls undefined, if it does."""
    text = lines[line]
    match = next(filter(None, (pattern.match(message) for pattern in UNDEFINED)), None)
    if match:
        name = match.group("name").split("::")[-1]
        at = re.match(rf"(?:\w+\s*::\s*)*{name}\b", text[column:])
        span = (column, column + at.end()) if at else word_before(text, column, name)
    elif message.startswith("expected class-name"):
        span = re.search(r"(\w*)\W*$", text[:column]).span(1)
    elif match := INCOMPLETE.search(message):
        span = word_before(text, column, match.group("name") or match.group("other"))
    else:
        return None
    return use_at(lines, line, *span)


def word_before(text, column, word):
    """Where a word last begins and ends before a column, or first after it; (0, 0) if nowhere."""
    found = [match.span() for match in re.finditer(rf"\b{word}\b", text)]
    before = [span for span in found if span[0] <= column]
    return before[-1] if before else found[0] if found else (0, 0)

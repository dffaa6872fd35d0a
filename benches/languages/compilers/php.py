"""What Intelephense, a language server, calls undefined in PHP: `php -l` looks at no names, and the
rest of PHP only at those that a run comes by.

A class that a program imports is taken to exist, wherever it is. Variables that are only maybe
undefined don't count.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile

from . import Missing, problems, sources

# The class around and what it extends are named so, too.
RELATIVE = {"parent", "self", "static"}
# Undefined types, functions, constants and variables; and what can't be parsed.
UNDEFINED = {"P1008", "P1009", "P1010", "P1011"}
UNPARSED = "P1001"


class Server:
    """A language server, spoken to on its standard streams."""

    def __init__(self, script, storage):
        self.process = subprocess.Popen(
            ["node", script, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.send("initialize", 1, {
            "processId": None, "rootUri": None,
            "capabilities": {"workspace": {"configuration": True}},
            "initializationOptions": {"storagePath": storage, "clearCache": True},
        })
        self.wait(lambda message: message.get("id") == 1)
        self.send("initialized", None, {})
        self.wait(lambda message: message.get("method") == "indexingEnded")

    def send(self, method, number, params):
        self.write({"method": method, "params": params} | ({"id": number} if number else {}))

    def write(self, message):
        body = json.dumps({"jsonrpc": "2.0"} | message).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def wait(self, is_wanted):
        """The next message that is wanted; what the server asks meanwhile gets its defaults."""
        while True:
            message = self.read()
            if "id" in message and "method" in message:
                asked = message.get("params", {}).get("items", [])
                settings = [{"environment": {"phpVersion": "8.2.0"}} for _ in asked]
                self.write({"id": message["id"], "result": settings or None})
            elif is_wanted(message):
                return message

    def read(self):
        length = 0
        while line := self.process.stdout.readline().strip():
            name, value = line.split(b":", 1)
            length = int(value) if name.lower() == b"content-length" else length
        return json.loads(self.process.stdout.read(length))

    def diagnostics(self, number, text):
        """What the server says of a program, which it knows for so long only."""
        document = {"uri": f"file:///program{number}.php"}
        self.send("textDocument/didOpen", None, {
            "textDocument": document | {"languageId": "php", "version": 1, "text": text}})
        found = self.wait(lambda message: message.get("params", {}).get("uri") == document["uri"])
        self.send("textDocument/didClose", None, {"textDocument": document})
        self.wait(lambda message: message.get("params", {}).get("uri") == document["uri"])
        return found["params"]["diagnostics"]


def imported(text):
    """The classes that a program imports, in lower case, as they are called in full."""
    for declared in re.findall(r"^\s*use\s+([^;()]+);", text, re.MULTILINE):
        prefix, _, group = declared.partition("{")
        for name in (group or prefix).strip(" }\n").split(","):
            name = re.sub(r"\s+as\s+\w+$", "", name.strip(), flags=re.IGNORECASE)
            name = (prefix.strip() if group else "") + name
            yield re.sub(r"^(function|const)\s+", "", name).strip("\\ ").lower()


def uses(text, diagnostics):
    """The undefined names in what the server says."""
    known = set(imported(text))
    lines = text.splitlines()
    for found in diagnostics:
        code, start = found.get("code"), found["range"]["start"]
        if code == UNPARSED:
            yield start["line"] + 1, ""
        elif code in UNDEFINED:
            whole = re.search(r"'(.*)'", found["message"]).group(1)
            line = lines[start["line"]]
            name = re.match(r"\$?\w*", line[start["character"]:]).group()
            if whole.lower() not in known and name and name not in RELATIVE:
                yield start["line"] + 1, name


def undefined(texts):
    """See `compilers`."""
    where = os.environ.get("NODE_PATH", ".")
    script = os.path.join(where, "intelephense", "lib", "intelephense.js")
    if shutil.which("node") is None or not os.path.exists(script):
        raise Missing(f"no node, or no intelephense in NODE_PATH ({where}): `npm install "
                      "intelephense@1` in some folder, and NODE_PATH=that folder/node_modules")
    with tempfile.TemporaryDirectory() as storage:
        server = Server(script, storage)
        found = [list(uses(text, server.diagnostics(number, text)))
                 for number, text in enumerate(texts)]
        server.process.kill()
        server.process.wait()
    return found


def programs(path):
    """See `compilers`; MultiPL-E has prompts, but no solutions."""
    for name, problem in problems(path):
        yield name, problem["prompt"] + "}\n" + problem["tests"]
    yield from sources(path, "*.php")

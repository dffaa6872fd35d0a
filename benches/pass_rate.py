#!/usr/bin/env python3
"""How many generated programs pass their tests.

    python3 benches/pass_rate.py --data tiny-tasks.jsonl RESULTS.jsonl [OTHER.jsonl]

RESULTS.jsonl is what `jumpcoder generate --output` writes (`task_id`, `solution`), the data is in
HumanEval's layout (`task_id`, `test`, `entry_point`); both may be gzipped. With two files the tasks
are paired: which does the second win, which does it lose?

Every program runs in a process of its own: isolated (`-I -S`), in an empty temporary folder, with
limits of time, memory and file size, and its whole process group is killed at the end.
That keeps accidents of generated code harmless: endless loops, endless lists, stray files.
It is **not a sandbox**: the program has this user's rights on the network and on all files. To
evaluate programs of a real model, use the benchmark's own tool inside a container or a virtual
machine without network.
"""

import argparse
import gzip
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

MIB = 1 << 20


def read_lines(path):
    """The objects of a JSONL file, by `task_id`."""
    with open(path, "rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    opener = gzip.open if is_gzip else open
    with opener(path, "rt", encoding="utf-8") as file:
        objects = [json.loads(line) for line in file if line.strip()]
    by_id = {item["task_id"]: item for item in objects}
    if len(by_id) != len(objects):
        sys.exit(f"{path}: several lines of one task; this counts one sample a task")
    return by_id


def limit_resources(args):
    """Runs in the child, before Python does."""
    seconds, num_bytes = int(args.seconds) + 1, args.memory_mib * MIB
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (num_bytes, num_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def passes(program, task, args):
    """Does `program` pass the test of `task`?"""
    # The test's verdict is the exit status alone, and only when its last line was reached: a
    # program that calls `sys.exit(0)` doesn't pass.
    proof = os.urandom(8).hex()
    source = f"{program}\n\n{task['test']}\n\ncheck({task['entry_point']})\nprint({proof!r})\n"
    with tempfile.TemporaryDirectory(prefix="pass-rate-") as folder:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            cwd=folder, env={"PATH": os.defpath}, start_new_session=True,
            preexec_fn=lambda: limit_resources(args))
        try:
            output, _ = child.communicate(source.encode(), timeout=args.seconds)
        except subprocess.TimeoutExpired:
            output = b""
        finally:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.communicate()
    return child.returncode == 0 and output.endswith(f"{proof}\n".encode())


def passed(path, tasks, args):
    """The ids of the tasks whose program in the file at `path` passes."""
    results = read_lines(path)
    unknown = results.keys() - tasks.keys()
    if unknown:
        sys.exit(f"{path}: {len(unknown)} tasks that the data doesn't have, as {min(unknown)}")
    with ThreadPoolExecutor(args.jobs) as pool:
        verdicts = pool.map(
            lambda task_id: passes(results[task_id]["solution"], tasks[task_id], args), results)
    ids = {task_id for task_id, verdict in zip(results, verdicts) if verdict}
    missing = len(tasks) - len(results)
    note = f" ({missing} not in the file)" if missing else ""
    print(f"{path}: {len(ids)} of {len(tasks)} passed{note}")
    return ids


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="tasks with tests, as JSONL")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a program [default: 5]")
    parser.add_argument("--memory-mib", type=int, default=512, help="of a program [default: 512]")
    parser.add_argument("--jobs", type=int, default=2, help="programs at once [default: 2]")
    parser.add_argument("--limit", type=int, help="only the first N tasks of the data")
    parser.add_argument("results", nargs="+", help="one file, or two to compare")
    args = parser.parse_args()
    if len(args.results) > 2:
        parser.error("one or two files of results")
    tasks = dict(list(read_lines(args.data).items())[:args.limit])
    sets = [passed(path, tasks, args) for path in args.results]
    if len(sets) == 2:
        first, second = sets
        neither = len(tasks) - len(first | second)
        print(f"both {len(first & second)}, won {len(second - first)}, "
              f"lost {len(first - second)}, neither {neither}")
        for name, ids in [("won", second - first), ("lost", first - second)]:
            if ids:
                print(f"{name}: {' '.join(sorted(ids))}")


if __name__ == "__main__":
    main()

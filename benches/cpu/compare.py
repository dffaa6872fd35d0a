"""How fast a model runs here, in llama.cpp, and in candle: the same GGUF files, two threads, in
turns.

    pip install cmake ninja scikit-build-core numpy diskcache jinja2 typing-extensions
    CMAKE_ARGS=-DGGML_NATIVE=ON pip install --no-build-isolation --no-deps \\
        --no-binary llama-cpp-python llama-cpp-python==0.3.36
    RUSTFLAGS=-Ctarget-cpu=native cargo build --release --manifest-path candle/Cargo.toml
    python make_models.py SmolLM2-135M-Instruct.Q4_1.gguf FOLDER
    python compare.py path/to/jumpcoder FOLDER/*.gguf --candle candle/target/release/candle-speed

A round measures each file with all programs, one after the other, so that whatever else runs on
the machine disturbs all; a ratio is of two of one round. A figure is the best of some repeats. All
take the most probable token of every sequence in every step. Without --candle, it is left out.
"""

import argparse
import ctypes
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import llama_cpp
import numpy as np

CONTEXT, PROMPT, NUM_STEPS = 64, 512, 16
BATCHES = [1, 8]
WORKS = [f"decode at batch {batch}" for batch in BATCHES] + [f"prefill of {PROMPT}"]


def ours(binary: str, model: str, threads: int, repeats: int) -> dict[str, float]:
    """Tokens per second of each work."""
    common = ["--model", model, "--device", "cpu", "--threads", str(threads)]
    common += ["--repeat", str(repeats)]

    def points(*args: str) -> list[dict]:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "figures.json"
            command = [binary, "bench", *args, *common, "--json", str(path)]
            subprocess.run(command, check=True, capture_output=True)
            return json.loads(path.read_text())["points"]

    sequences = ",".join(map(str, BATCHES))
    decode = points("decode", "--sequences", sequences, "--context", str(CONTEXT))
    figures = {}
    for point in decode:
        if not point["is_shared"] and point["num_sequences"] in BATCHES:
            work = f"decode at batch {point['num_sequences']}"
            figures[work] = point["num_sequences"] / point["seconds"]["min"]
    [prefill] = points("prefill", "--lengths", str(PROMPT))
    figures[WORKS[-1]] = PROMPT / prefill["seconds"]["min"]
    return figures


def candle(binary: str, model: str, threads: int, repeats: int) -> dict[str, float]:
    """Tokens per second of each work in candle."""
    numbers = [repeats, NUM_STEPS, CONTEXT, PROMPT]
    command = [binary, model, *map(str, numbers)]
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
    run = subprocess.run(command, check=True, capture_output=True, env=environment)
    return json.loads(run.stdout)


class LlamaCpp:
    """A model in llama.cpp."""

    def __init__(self, path: str, threads: int) -> None:
        params = llama_cpp.llama_model_default_params()
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), params)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = 8 * 1024
        params.n_batch = params.n_ubatch = PROMPT
        params.n_seq_max = max(BATCHES)
        params.n_threads = params.n_threads_batch = threads
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.vocab_len = llama_cpp.llama_vocab_n_tokens(vocab)
        self.batch = llama_cpp.llama_batch_init(PROMPT, 0, 1)

    def clear(self) -> None:
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)

    def close(self) -> None:
        llama_cpp.llama_batch_free(self.batch)
        llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)

    def run(self, rows: list[tuple[int, int, int, bool]]) -> list[int]:
        """Runs (token, position, sequence, is wanted) rows; the most probable tokens of those."""
        batch = self.batch
        batch.n_tokens = len(rows)
        for i, (token, position, sequence, is_wanted) in enumerate(rows):
            batch.token[i], batch.pos[i], batch.logits[i] = token, position, is_wanted
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, sequence
        if llama_cpp.llama_decode(self.context, batch) != 0:
            raise RuntimeError("llama_decode failed")
        best = []
        for i, row in enumerate(rows):
            if row[3]:
                logits = llama_cpp.llama_get_logits_ith(self.context, i)
                kind = ctypes.POINTER(ctypes.c_float * self.vocab_len)
                best.append(int(np.argmax(np.frombuffer(ctypes.cast(logits, kind).contents,
                                                        dtype=np.float32))))
        return best

    def prompt(self, length: int, sequence: int) -> list[int]:
        rows = [(1000 + 7 * i + sequence, i, sequence, i == length - 1) for i in range(length)]
        return self.run(rows)

    def figures(self, repeats: int) -> dict[str, float]:
        figures = {}
        for batch in BATCHES:
            times = []
            for _ in range(repeats):
                self.clear()
                last = [token for seq in range(batch) for token in self.prompt(CONTEXT, seq)]
                for step in range(NUM_STEPS + 1):
                    if step == 1:
                        start = time.perf_counter()
                    rows = [(last[seq], CONTEXT + step, seq, True) for seq in range(batch)]
                    last = self.run(rows)
                times.append((time.perf_counter() - start) / NUM_STEPS)
            figures[f"decode at batch {batch}"] = batch / min(times)
        times = []
        for _ in range(repeats):
            self.clear()
            start = time.perf_counter()
            self.prompt(PROMPT, 0)
            times.append(time.perf_counter() - start)
        figures[WORKS[-1]] = PROMPT / min(times)
        return figures


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--candle", metavar="BINARY")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    silent = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(silent, None)
    peers = ["llama.cpp"] + (["candle"] if args.candle else [])
    # Of each model and work, the figures of a round: ours, then the peers'.
    rounds: dict[tuple[str, str], list[list[float]]] = {}
    for _ in range(args.rounds):
        for model in args.models:
            figures = [ours(args.binary, model, args.threads, args.repeats)]
            engine = LlamaCpp(model, args.threads)
            figures.append(engine.figures(args.repeats))
            engine.close()
            if args.candle:
                figures.append(candle(args.candle, model, args.threads, args.repeats))
            for work in WORKS:
                key = (pathlib.Path(model).stem, work)
                rounds.setdefault(key, []).append([figure[work] for figure in figures])
    columns = [column for peer in peers for column in (peer, f"here / {peer}")]
    print(f"| model | work | here, tokens/s | {' | '.join(columns)} |")
    print("|---" * (3 + len(columns)) + "|")
    for (model, work), figures in rounds.items():
        mine, *others = zip(*figures)
        cells = [model, work, f"{statistics.median(mine):.0f}"]
        for other in others:
            ratios = sorted(one / two for one, two in zip(mine, other))
            cells += [f"{statistics.median(other):.0f}", f"{statistics.median(ratios):.2f} "
                      f"[{ratios[0]:.2f}..{ratios[-1]:.2f}]"]
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

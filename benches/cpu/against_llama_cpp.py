"""How fast a model runs here and in llama.cpp: the same GGUF files, two threads, in turns.

    pip install cmake ninja scikit-build-core numpy diskcache jinja2 typing-extensions
    CMAKE_ARGS=-DGGML_NATIVE=ON pip install --no-build-isolation --no-deps \\
        --no-binary llama-cpp-python llama-cpp-python==0.3.36
    python make_models.py SmolLM2-135M-Instruct.Q4_1.gguf FOLDER
    python against_llama_cpp.py path/to/jumpcoder FOLDER/*.gguf

A round measures each file with both programs, one after the other, so that whatever else runs on
the machine disturbs both; a ratio is of the two of one round. A figure is the best of some repeats.
Both take the most probable token of every sequence in every step.
"""

import argparse
import ctypes
import json
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


class Theirs:
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
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    silent = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(silent, None)
    rounds: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(args.rounds):
        for model in args.models:
            mine = ours(args.binary, model, args.threads, args.repeats)
            engine = Theirs(model, args.threads)
            other = engine.figures(args.repeats)
            engine.close()
            for work in WORKS:
                key = (pathlib.Path(model).stem, work)
                rounds.setdefault(key, []).append((mine[work], other[work]))
    print("| model | work | here, tokens/s | llama.cpp, tokens/s | ratio [min..max] |")
    print("|---|---|---|---|---|")
    for (model, work), pairs in rounds.items():
        mine, other = (statistics.median(column) for column in zip(*pairs))
        ratios = sorted(mine / other for mine, other in pairs)
        print(f"| {model} | {work} | {mine:.0f} | {other:.0f} | {statistics.median(ratios):.2f} "
              f"[{ratios[0]:.2f}..{ratios[-1]:.2f}] |")


if __name__ == "__main__":
    main()

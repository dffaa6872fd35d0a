#!/usr/bin/env python3
"""jumpcoder beside torch and transformers, on one GPU, in one run: one table of ratios.

    python3 benches/gpu/compare.py --jumpcoder target/release/jumpcoder --out results

It needs the binary and Python with torch and transformers, and downloads nothing: weights are
random. First jumpcoder checks itself (a wrong kernel ends it), then both are measured: products,
attention, decoding, prompts, scoring. With --trace, a file that `jumpcoder generate --trace` wrote,
the same decisions are replayed with and without jumping. Figures go to the folder as JSON, the
table also as markdown.

torch's times are medians of wall-clock times up to a synchronisation, or of CUDA events for single
kernels; jumpcoder's are those of its own benchmarks, which say how they are measured. Between runs
of a single kernel both overwrite the caches.
"""

import argparse
import json
import re
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

# Layers, hidden, heads, key heads, feed-forward, vocabulary: as `models/src/shapes.rs` has them.
SHAPES = {
    "tiny": (5, 256, 4, 2, 704, 4096),
    "deepseek-coder-1.3b": (24, 2048, 16, 16, 5504, 32256),
    "deepseek-coder-6.7b": (32, 4096, 32, 32, 11008, 32256),
    "codellama-7b": (32, 4096, 32, 32, 11008, 32016),
    "opencoder-8b": (32, 4096, 32, 8, 14336, 96640),
}
ROWS = [1, 6, 16, 64, 512]
BATCHES = [1, 8, 64]
CONTEXT = 512
PROMPTS = [128, 512, 2048]
NUM_STEPS = 32
PROGRAM, CANDIDATES, INSERTION = 500, 5, 12
CACHE_BYTES = 1 << 28


def main():
    args = arguments()
    commands = jumpcoder_commands(args)
    if args.dry_run:
        print_plan(args, commands)
        return
    torch, transformers = libraries()
    args.out.mkdir(parents=True, exist_ok=True)
    ours = {name: run(args, name, command) for name, command in commands.items()}
    theirs = Torch(torch, transformers, args).measure()
    report = {
        "gpu": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "shape": args.shape,
        "rows": rows(ours, theirs),
        "jump_per_ar": jump_per_ar(ours.get("replay")),
    }
    (args.out / "compare.json").write_text(json.dumps(report, indent=2) + "\n")
    text = markdown(report)
    (args.out / "compare.md").write_text(text)
    print(text)


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jumpcoder", default="jumpcoder", help="the binary")
    parser.add_argument("--shape", default="codellama-7b", choices=SHAPES)
    parser.add_argument("--out", type=Path, default=Path("gpu-results"), help="a folder")
    parser.add_argument("--trace", help="what to replay")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--fast", action="store_true", help="jumpcoder's fast mode")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be run")
    args = parser.parse_args()
    if args.repeat < 1:
        parser.error("--repeat must be at least 1")
    return args


def libraries():
    try:
        import torch
        import transformers
    except ImportError as error:
        sys.exit(f"compare.py: {error}: it needs Python with torch and transformers")
    if not torch.cuda.is_available():
        sys.exit("compare.py: torch sees no GPU")
    return torch, transformers


def jumpcoder_commands(args):
    device = ["--device", "cuda"] + (["--fast"] if args.fast else [])
    shape = ["--random-weights", args.shape]
    repeat = ["--repeat", str(args.repeat)]
    batches = ",".join(map(str, BATCHES))
    prompts = ",".join(map(str, PROMPTS))
    commands = {
        "selftest": ["selftest", *device],
        "kernels": ["bench", "kernels", *shape, "--rows", ",".join(map(str, ROWS)), *device],
        "decode": ["bench", "decode", *shape, "--sequences", batches, "--context", str(CONTEXT),
                   *repeat, *device],
        "prefill": ["bench", "prefill", *shape, "--lengths", prompts, *repeat, *device],
        "score": ["bench", "score", *shape, "--program", str(PROGRAM), "--candidates",
                  str(CANDIDATES), "--insertion", str(INSERTION), *repeat, *device],
    }
    if args.trace:
        commands["replay"] = ["bench", "overhead", "--replay", args.trace, "--without", "none",
                              *shape, *repeat, *device]
    return {
        name: [args.jumpcoder, *words, "--json", str(args.out / f"{name}.json")]
        for name, words in commands.items()
    }


def print_plan(args, commands):
    for command in commands.values():
        print(shlex.join(command))
    print(f"torch, {args.shape}:")
    for name, num_outputs, num_inputs in products(args.shape):
        print(f"  product {name}: {num_outputs} outputs of {num_inputs} inputs, rows {ROWS}")
    print(f"  attention: decoding with {CONTEXT} tokens at batches {BATCHES}, prompts of {PROMPTS}")
    print(f"  transformers: generate at batches {BATCHES}, prompts of {PROMPTS}")
    length = PROGRAM + INSERTION
    print(f"  transformers: {CANDIDATES} whole programs of {length} tokens, one by one")


def run(args, name, command):
    print("+", shlex.join(command), file=sys.stderr)
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    except OSError as error:
        sys.exit(f"compare.py: can't run {args.jumpcoder}: {error}; name it with --jumpcoder")
    (args.out / f"{name}.txt").write_text(done.stdout)
    print(done.stdout, file=sys.stderr)
    if done.returncode != 0:
        sys.exit(f"compare.py: {name} ended with {done.returncode}: nothing is compared")
    return json.loads((args.out / f"{name}.json").read_text())


def products(shape):
    """The products of a layer, and of the head, as name, outputs, inputs."""
    _, hidden, heads, kv_heads, ffn, vocab = SHAPES[shape]
    dim = hidden // heads
    return [
        ("qkv", (heads + 2 * kv_heads) * dim, hidden),
        ("out", hidden, heads * dim),
        ("gate_up", 2 * ffn, hidden),
        ("down", hidden, ffn),
        ("head", vocab, hidden),
    ]


class Torch:
    """The same work in torch and transformers; all times in milliseconds, by name."""

    def __init__(self, torch, transformers, args):
        self.torch, self.transformers, self.args = torch, transformers, args
        self.times = {}

    def measure(self):
        with self.torch.inference_mode():
            self.products()
            self.attention()
            model = self.model()
            self.generate(model)
            self.prompts(model)
            self.score(model)
        return self.times

    def random(self, *dims):
        return self.torch.randn(*dims, device="cuda", dtype=self.torch.bfloat16)

    def tokens(self, *dims):
        vocab = SHAPES[self.args.shape][5]
        return self.torch.randint(3, vocab, dims, device="cuda")

    def kernel(self, name, work, num_runs=20):
        """The fastest of some runs of one kernel, as jumpcoder's self-test takes it."""
        torch = self.torch
        other = torch.empty(CACHE_BYTES, dtype=torch.uint8, device="cuda")
        work()
        fastest = float("inf")
        for _ in range(num_runs):
            other.zero_()
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            work()
            end.record()
            end.synchronize()
            fastest = min(fastest, begin.elapsed_time(end))
        self.times[name] = fastest

    def wall(self, work):
        self.torch.cuda.synchronize()
        begin = time.perf_counter()
        work()
        self.torch.cuda.synchronize()
        return (time.perf_counter() - begin) * 1e3

    def repeated(self, name, measure):
        measure()
        self.times[name] = statistics.median(measure() for _ in range(self.args.repeat))

    def products(self):
        for name, num_outputs, num_inputs in products(self.args.shape):
            w = self.random(num_outputs, num_inputs)
            for num_rows in ROWS:
                x = self.random(num_rows, num_inputs)
                self.kernel(f"product {name} {num_rows}", lambda x=x: x @ w.T)

    def attention(self):
        attend = self.torch.nn.functional.scaled_dot_product_attention
        _, hidden, heads, kv_heads, _, _ = SHAPES[self.args.shape]
        dim = hidden // heads
        gqa = {"enable_gqa": True} if heads != kv_heads else {}
        for batch in BATCHES:
            q = self.random(batch, heads, 1, dim)
            k, v = (self.random(batch, kv_heads, CONTEXT, dim) for _ in range(2))
            name = f"attention decode {batch}"
            self.kernel(name, lambda q=q, k=k, v=v: attend(q, k, v, **gqa))
        for length in PROMPTS:
            q = self.random(1, heads, length, dim)
            k, v = (self.random(1, kv_heads, length, dim) for _ in range(2))
            name = f"attention prefill {length}"
            self.kernel(name, lambda q=q, k=k, v=v: attend(q, k, v, is_causal=True, **gqa))

    def model(self):
        layers, hidden, heads, kv_heads, ffn, vocab = SHAPES[self.args.shape]
        config = self.transformers.LlamaConfig(
            num_hidden_layers=layers, hidden_size=hidden, num_attention_heads=heads,
            num_key_value_heads=kv_heads, intermediate_size=ffn, vocab_size=vocab,
            max_position_embeddings=16384, tie_word_embeddings=False,
        )
        default = self.torch.get_default_dtype()
        self.torch.set_default_dtype(self.torch.bfloat16)
        with self.torch.device("cuda"):
            model = self.transformers.LlamaForCausalLM(config)
        self.torch.set_default_dtype(default)
        return model.eval()

    def generate(self, model):
        """A step is what NUM_STEPS more tokens cost, with a cache of one size."""
        for batch in BATCHES:
            prompt = self.tokens(batch, CONTEXT)

            def generated(num, prompt=prompt):
                mask = self.torch.ones_like(prompt)
                return self.wall(lambda: model.generate(
                    prompt, attention_mask=mask, do_sample=False, max_new_tokens=num,
                    min_new_tokens=num, cache_implementation="static", pad_token_id=0,
                ))

            def step():
                return (generated(NUM_STEPS + 1) - generated(1)) / NUM_STEPS

            self.repeated(f"decode {batch}", step)

    def prompts(self, model):
        for length in PROMPTS:
            prompt = self.tokens(1, length)

            def first_token(prompt=prompt):
                hidden = model.model(prompt).last_hidden_state[:, -1]
                return model.lm_head(hidden).argmax(-1).item()

            self.repeated(f"prefill {length}", lambda: self.wall(first_token))

    def score(self, model):
        """As the public implementation scores: whole programs, one by one, all logits of each."""
        programs = [self.tokens(1, PROGRAM + INSERTION) for _ in range(CANDIDATES)]

        def whole(is_logprob):
            for program in programs:
                logits = model.lm_head(model.model(program).last_hidden_state)
                if is_logprob:
                    logits = logits.float().log_softmax(-1)
                logits[0, :-1].gather(-1, program[0, 1:, None]).float().cpu()

        for name, is_logprob in [("logit", False), ("logprob", True)]:
            self.repeated(f"score {name}", lambda: self.wall(lambda: whole(is_logprob)))


def rows(ours, theirs):
    """What both measured, in milliseconds."""
    found = {}
    for outcome in ours["kernels"]["operations"]:
        part, _, shape = outcome["shape"].partition(": ")
        num_rows = re.search(r"(\d+) (rows|choices)", shape)
        if outcome["speed"] and num_rows:
            kind = "attention" if outcome["op"] == "attention" else "product"
            found[f"{kind} {part} {num_rows[1]}"] = outcome["speed"]["micros"] / 1e3
    for point in ours["decode"]["points"]:
        name = f"decode {point['num_sequences']}"
        if not point["is_shared"]:
            found.setdefault(name, point["seconds"]["median"] * 1e3)
    for point in ours["prefill"]["points"]:
        found[f"prefill {point['num_tokens']}"] = point["seconds"]["median"] * 1e3
    for point in ours["score"]["points"]:
        if point["way"] == "fused":
            name = "score logprob" if point["is_logprob"] else "score logit"
            found[name] = point["seconds"]["median"] * 1e3
    return [
        {"what": what, "torch_ms": torch_ms, "jumpcoder_ms": found.get(what)}
        for what, torch_ms in theirs.items()
    ]


def jump_per_ar(replay):
    if replay is None:
        return None
    return next(mode["seconds_per_ar"] for mode in replay["modes"] if mode["name"] == "jump")


def markdown(report):
    lines = [
        f"{report['shape']} on {report['gpu']}; torch {report['torch']}, "
        f"transformers {report['transformers']}",
        "",
        "| | torch, ms | jumpcoder, ms | times as fast |",
        "|---|---|---|---|",
    ]
    for row in report["rows"]:
        ours = row["jumpcoder_ms"]
        figures = f"{ours:.3f} | {row['torch_ms'] / ours:.2f}" if ours else "- | -"
        lines.append(f"| {row['what']} | {row['torch_ms']:.3f} | {figures} |")
    ratio = report["jump_per_ar"]
    if ratio:
        lines += ["", "jump / ar, replayed: {median:.2f} [{min:.2f}..{max:.2f}]".format(**ratio)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

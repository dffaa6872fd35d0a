#!/usr/bin/env python3
"""What the same work costs with Hugging Face transformers on this machine: float32, eager PyTorch.

    python3 benches/huggingface.py [--golden FILE] [--threads 2] [--limit N]

Needs torch and transformers. It measures

* greedy decoding with a KV cache of what the reference wrote in its `ar` mode: one `generate` a
  problem, exactly as many tokens as there (the reference calls it once a line and so reads the
  prompt more often);
* one forward pass over a text of 150 tokens;
* a replay of the model calls of the reference's `jump` mode, from its recorded
  rounds: a `generate` for each infill and for the next line of a round, and a pass over the program
  and one over each candidate. The reference's own work between the calls, and its servers, are
  left out: this is less than the reference takes.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
import transformers

HERE = Path(__file__).resolve().parent
DEFAULT_GOLDEN = HERE / "../../shared/golden/reference/humaneval-0-59.json"
FIM = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
TEXT_LEN = 150
NUM_PASSES = 50


class Model:
    def __init__(self, path):
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(path)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
        self.model.eval()
        self.prefix, self.suffix, self.middle = self.tokenizer.convert_tokens_to_ids(FIM)
        self.num_run = 0

    def encode(self, text):
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def generate(self, ids, num_new):
        num_new = max(1, num_new)
        ids = torch.tensor([ids])
        self.model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, use_cache=True,
            max_new_tokens=num_new, min_new_tokens=num_new, pad_token_id=0)
        self.num_run += ids.shape[1] + num_new - 1

    def forward(self, ids):
        self.model(torch.tensor([ids]))
        self.num_run += len(ids)

    def infill(self, lines, position, text):
        before, after = "".join(lines[:position]), "".join(lines[position:])
        ids = [self.prefix, *self.encode(before), self.suffix, *self.encode(after), self.middle]
        self.generate(ids, len(self.encode(text)) + 1)


def with_newline(line):
    return line if line.endswith("\n") else line + "\n"


def replay_ar(model, problem):
    prompt = model.encode(problem["prompt"])
    model.generate(prompt, len(model.encode(problem["ar"])) - len(prompt) + 1)


def replay_round(model, record):
    lines = [with_newline(line) for line in record["lines"]]
    for position, text in record["infills"].items():
        model.infill(lines, int(position), text)
    program = model.encode("".join(lines))
    model.generate(program, len(model.encode(record["next_line"])) + 1)
    if record["candidates"]:
        model.forward(program)
    for candidate in record["candidates"]:
        inserted = [with_newline(line) for line in candidate["inserted"]]
        position = candidate["position"]
        model.forward(model.encode("".join(lines[:position] + inserted + lines[position:])))


def replay_jump(model, problem):
    for record in problem["rounds"]:
        replay_round(model, record)


def timed(model, problems, replay):
    """Seconds and tokens run, a problem."""
    model.num_run = 0
    start = time.perf_counter()
    for problem in problems:
        replay(model, problem)
    seconds = time.perf_counter() - start
    return seconds / len(problems), model.num_run / len(problems)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=HERE / "../models/tiny")
    parser.add_argument("--golden", default=DEFAULT_GOLDEN)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int, help="only the first N problems")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    transformers.logging.set_verbosity_error()
    problems = json.loads(Path(args.golden).read_text())[:args.limit]
    model = Model(args.model)
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, "
          f"{args.threads} threads, {len(problems)} problems")
    with torch.inference_mode():
        replay_ar(model, problems[0])
        ids = model.encode("".join(problem["jump"] for problem in problems))[:TEXT_LEN]
        seconds = []
        for _ in range(NUM_PASSES):
            start = time.perf_counter()
            model.forward(ids)
            seconds.append(time.perf_counter() - start)
        print(f"pass over {len(ids)} tokens: {statistics.median(seconds) * 1e3:.2f} ms "
              f"[{min(seconds) * 1e3:.2f}..{max(seconds) * 1e3:.2f}]", flush=True)
        for name, replay in [("ar", replay_ar), ("jump, replayed", replay_jump)]:
            taken, num_run = timed(model, problems, replay)
            print(f"{name}: {taken:.4f} s a problem, {num_run:.0f} tokens run", flush=True)


if __name__ == "__main__":
    main()

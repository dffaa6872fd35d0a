#!/usr/bin/env bash
# Makes every figure of RESULTS.md again: benches/measure.sh [FOLDER], from the workspace's root.
# The figures go to FOLDER (default: target/results), as text and as JSON.
set -euo pipefail

results=${1:-target/results}
shared=../shared/data
humaneval=(--input "$shared/humaneval/HumanEval.jsonl.gz" --limit 60)
mkdir -p "$results"
cargo build --release --package jumpcoder --package jump-benches

{
    date --utc
    git describe --always --dirty
    lscpu | grep --extended-regexp '^(Model name|CPU\(s\)|L[123])'
    echo "load before: $(cut --delimiter=' ' --fields=1-3 /proc/loadavg)"
} | tee "$results/machine.txt"

target/release/jump-benches speed "${humaneval[@]}" --repeat "${SPEED_REPEATS:-5}" \
    --json "$results/speed.json" | tee "$results/speed.txt"
target/release/jump-benches throughput "${humaneval[@]}" --repeat "${THROUGHPUT_REPEATS:-3}" \
    --json "$results/throughput.json" | tee "$results/throughput.txt"

for quirks in "" --reference-quirks; do
    for mode in ar jump; do
        target/release/jumpcoder generate --quiet --force --input "$shared/tiny-tasks.jsonl" \
            --mode "$mode" ${quirks:+"$quirks"} --output "$results/$mode$quirks.jsonl"
    done
    python3 benches/pass_rate.py --data "$shared/tiny-tasks.jsonl" \
        "$results/ar$quirks.jsonl" "$results/jump$quirks.jsonl"
done | tee "$results/tiny-tasks.txt"
{
    echo "load after: $(cut --delimiter=' ' --fields=1-3 /proc/loadavg)"
} | tee --append "$results/machine.txt"

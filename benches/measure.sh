#!/usr/bin/env bash
# Makes every figure of RESULTS.md again: benches/measure.sh [FOLDER], from the workspace's root.
# The figures go to FOLDER (default: target/results), as text and as JSON.
set -euo pipefail

results=${1:-target/results}
shared=../shared/data
humaneval=(--input "$shared/humaneval/HumanEval.jsonl.gz")
mbpp=(--input "$shared/mbpp/sanitized-mbpp.json" --limit 200)
mkdir -p "$results"
cargo build --release --package jumpcoder --package jump-benches

# bench NAME COMMAND ARGUMENTS..
bench() {
    local name=$1 command=$2
    shift 2
    target/release/jumpcoder bench "$command" "$@" --json "$results/$name.json" |
        tee "$results/$name.txt"
}

{
    date --utc
    git describe --always --dirty
    lscpu | grep --extended-regexp '^(Model name|CPU\(s\)|L[123])'
    echo "load before: $(cut --delimiter=' ' --fields=1-3 /proc/loadavg)"
} | tee "$results/machine.txt"

target/release/jump-benches floor "${humaneval[@]}" --limit 60 --json "$results/floor.json" |
    tee "$results/floor.txt"
bench latency overhead "${humaneval[@]}" --limit 60 --repeat 5
bench throughput overhead "${humaneval[@]}" --limit 60 --repeat 3 --concurrency 32
bench growth growth "${humaneval[@]}" --limit 10 --repeat 3

# The outputs of all modes on all of HumanEval and 200 of MBPP, one at a time and 32 at once.
for concurrency in 1 32; do
    bench "humaneval-$concurrency" overhead "${humaneval[@]}" --repeat 1 --concurrency $concurrency
    bench "mbpp-$concurrency" overhead "${mbpp[@]}" --repeat 1 --concurrency $concurrency
done

# The cost of the same decisions in a larger model, on random weights.
target/release/jumpcoder generate --quiet --force "${humaneval[@]}" --limit 10 --concurrency 1 \
    --output "$results/replayed.jsonl" --trace "$results/trace.jsonl"
bench replay-135m overhead --replay "$results/trace.jsonl" --repeat 1 --without none \
    --random-weights smollm2-135m

for quirks in "" --reference-quirks; do
    for mode in ar jump; do
        target/release/jumpcoder generate --quiet --force --input "$shared/tiny-tasks.jsonl" \
            --mode "$mode" ${quirks:+"$quirks"} --output "$results/$mode$quirks.jsonl"
    done
    target/release/jumpcoder eval --data "$shared/tiny-tasks.jsonl" \
        --json "$results/tiny-tasks$quirks.json" \
        "$results/ar$quirks.jsonl" "$results/jump$quirks.jsonl"
done | tee "$results/tiny-tasks.txt"
{
    echo "load after: $(cut --delimiter=' ' --fields=1-3 /proc/loadavg)"
} | tee --append "$results/machine.txt"

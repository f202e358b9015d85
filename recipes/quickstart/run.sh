#!/usr/bin/env bash
# The whole pipe in minutes: run.sh [DIR] trains a student into DIR (runs/quickstart by default),
# from nothing, and shows some of its answers. SEED=1 makes other problems and another student. Run
# again, it trains again and replaces the student and its figures.
set -euo pipefail
recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-runs/quickstart}
seed=${SEED:-0}
mkdir -p "$(dirname "$out")"

mitools load -c "$recipe" --seed "$seed" |
  mitools annotate -c "$recipe" --seed "$seed" |
  mitools split -c "$recipe" |
  mitools train -c "$recipe" --seed "$seed" --save "$out" --overwrite |
  mitools eval -c "$recipe" --student "$out" --summary "$out.json" -o "$out.jsonl"

mitools explain -c "$recipe" --no-pager "$out.jsonl"

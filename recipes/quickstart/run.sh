#!/usr/bin/env bash
# The whole pipe in minutes: run.sh [DIR] trains a student into DIR (runs/quickstart by default),
# from nothing, and shows some of its answers. SEED=1 makes other problems and another student. Run
# again, it continues where it stopped; OVERWRITE=1 trains again.
set -euo pipefail
recipe=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
out=${1:-runs/quickstart}
seed=${SEED:-0}
command -v mitools > /dev/null ||
  { echo "$0: mitools is not on the PATH; activate its environment first" >&2; exit 127; }
# Beside other work, a second thread takes three times the processor time for a model of this size.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
again=
if [ "${OVERWRITE:-}" ]; then
  again=--overwrite
elif [ -e "$out" ] || [ -e "$out.work" ]; then
  again=--resume
fi
mkdir -p -- "$(dirname -- "$out")"

mitools load -c "$recipe" --seed "$seed" |
  mitools annotate -c "$recipe" --seed "$seed" |
  mitools split -c "$recipe" |
  mitools train -c "$recipe" --seed "$seed" --save "$out" ${again:+"$again"} |
  mitools eval -c "$recipe" --student "$out" --summary "$out.json" -o "$out.jsonl"

mitools explain -c "$recipe" --no-pager "$out.jsonl"

#!/usr/bin/env bash
# The official run of arXiv 2403.03348 on one data set: run.sh DATASETS NAME [OPTION OF TRAIN]...
# DATASETS is the unpacked datasets.zip of the official code; NAME is svamp, cqa, anli1 or esnli. The
# student goes to runs/paper-NAME (or $OUT), the figures beside it. SEED=1 is another seed. Run again, it
# continues where it stopped; OVERWRITE=1 trains another student.
set -euo pipefail
recipe=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
usage="usage: $0 DATASETS svamp|cqa|anli1|esnli [OPTION OF TRAIN]..."
datasets=${1:?"$usage"}
name=${2:?"$usage"}
shift 2
out=${OUT:-runs/paper-$name}
again=
if [ "${OVERWRITE:-}" ]; then
  again=--overwrite
elif [ -e "$out" ] || [ -e "$out.work" ]; then
  again=--resume
fi
mkdir -p "$(dirname "$out")"

"${PYTHON:-python3}" "$recipe/records.py" "$datasets" "$name" |
  mitools split --test 0 --valid 0 -o "$out.records.jsonl"  # every record has its split already
mitools train "$out.records.jsonl" --preset paper --student google/t5-v1_1-base --seed "${SEED:-0}" \
  --save "$out" ${again:+"$again"} "$@" -o /dev/null
mitools eval "$out.records.jsonl" --student "$out" --split test --no-rationales \
  --summary "$out.json" -o "$out.jsonl"

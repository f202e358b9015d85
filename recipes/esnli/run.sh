#!/usr/bin/env bash
# The whole experiment, into runs/esnli of the current folder. Arguments go to the teacher:
#   run.sh -m MODEL --base-url http://localhost:8000/v1
# LIMIT=50 takes so many records of each part, for a first look. Run again, it refuses to replace a
# student: RESUME=1 goes on with training that was interrupted, OVERWRITE=1 trains another one.
set -euo pipefail
recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${OUT:-runs/esnli}
teacher=
for argument; do
  case $argument in -m* | --model* | --teacher*) teacher=named ;; esac
done
grep -qE '^(model|teacher) *=' "$recipe/recipe.toml" && teacher=named
[ "$teacher" ] || { echo "$0: name the teacher: $0 -m MODEL [--base-url URL]" >&2; exit 2; }
mkdir -p "$(dirname "$out")"

mitools load -c "$recipe" ${LIMIT:+--limit "$LIMIT"} |
  mitools annotate -c "$recipe" "$@" |
  mitools split -c "$recipe" |
  mitools train -c "$recipe" --save "$out" ${RESUME:+--resume} ${OVERWRITE:+--overwrite} |
  mitools eval -c "$recipe" --student "$out" --summary "$out.json" -o "$out.jsonl"

mitools explain "$out.jsonl"

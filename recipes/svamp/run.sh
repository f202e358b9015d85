#!/usr/bin/env bash
# The whole experiment of the recipe beside this script, into runs/NAME of the current folder.
# Arguments go to the teacher:
#   run.sh -m MODEL --base-url http://localhost:8000/v1
# LIMIT=50 takes so many records, for a first look, into runs/NAME-50. Run again, it continues where
# it stopped; OVERWRITE=1 trains another student. STUDENT=MODEL starts from another base model, and
# OUT=DIR names another folder for the student. TEACHER=none asks no teacher: the student learns the
# labels and rationales that the data set holds.
set -euo pipefail
recipe=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
out=${OUT:-runs/$(basename -- "$recipe")${LIMIT:+-$LIMIT}}
teacher=
for argument; do
  case $argument in -m* | --model* | --teacher*) teacher=named ;; esac
done
grep -qE '^(model|teacher) *=' "$recipe/recipe.toml" && teacher=named
if [ $# = 0 ] && [ ! "$teacher" ] && grep -q '^preset = "chat"' "$recipe/recipe.toml"; then
  teacher=none # a chat log holds the answers of its teacher
elif [ $# = 0 ] && [ "${TEACHER:-}" = none ]; then
  teacher=none
fi
command -v mitools > /dev/null ||
  { echo "$0: mitools is not on the PATH; activate its environment first" >&2; exit 127; }
[ "$teacher" ] ||
  { echo "$0: name the teacher: $0 -m MODEL [--base-url URL], or TEACHER=none" >&2; exit 2; }
again=
if [ "${OVERWRITE:-}" ]; then
  again=--overwrite
elif [ -e "$out" ] || [ -e "$out.work" ]; then
  again=--resume
fi
mkdir -p -- "$(dirname -- "$out")"

# Files, whole or not at all: annotate shows the time left, and where the teacher fails, no student
# is trained on a part of the data.
records=$out.records.jsonl
mitools load -c "$recipe" ${LIMIT:+--limit "$LIMIT"} -o "$records"
if [ "$teacher" != none ]; then
  mitools annotate -c "$recipe" "$records" -o "$out.annotated.jsonl" "$@"
  records=$out.annotated.jsonl
fi
mitools split -c "$recipe" "$records" |
  mitools train -c "$recipe" --save "$out" ${STUDENT:+--student "$STUDENT"} ${again:+"$again"} |
  mitools eval -c "$recipe" --student "$out" --summary "$out.json" -o "$out.jsonl"

mitools explain -c "$recipe" "$out.jsonl" --summary "$out.json" --html "$out.html"
mitools explain -c "$recipe" -q --no-pager --limit 3 "$out.jsonl"

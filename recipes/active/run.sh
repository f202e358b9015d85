#!/usr/bin/env bash
# Rounds of annotate and train: each round asks the teacher about further records, those that the
# student of the round before is least sure of. The first round takes random ones. Arguments go to
# the teacher: run.sh --teacher openai -m MODEL --base-url http://localhost:8000/v1
# BUDGETS="250 250 500 1000" are the records of each round; CHOOSE=random takes random ones in every
# round and CHOOSE=no-spread the least sure of all, to compare; SEED=1 begins with others; OUT=DIR
# names another folder. Run again, it continues where it stopped.
set -euo pipefail
recipe=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
choose=${CHOOSE:-least-sure}
seed=${SEED:-0}
out=${OUT:-runs/active/$choose-$seed}
case $choose in
  least-sure | no-spread | random) ;;
  *) echo "$0: CHOOSE is least-sure, no-spread or random, not $choose" >&2; exit 2 ;;
esac
command -v mitools > /dev/null ||
  { echo "$0: mitools is not on the PATH; activate its environment first" >&2; exit 127; }
mkdir -p -- "$out"

if [ ! -e "$out/data/test.jsonl" ]; then
  mitools load -c "$recipe" | mitools split -c "$recipe" --out-dir "$out/data"
fi
records=$out/data/train.jsonl
student=
round=0
for budget in ${BUDGETS:-250 250 500 1000}; do
  round=$((round + 1))
  pick=(--random "$budget")
  if [ "$choose" != random ] && [ "$student" ]; then
    pick=(--student "$student" --least-sure "$budget")
    if [ "$choose" = no-spread ]; then pick+=(--no-spread); fi
  fi
  next=$out/round-$round.jsonl
  if [ ! -e "$next" ]; then
    mitools annotate -c "$recipe" --seed "$seed" "${pick[@]}" "$@" "$records" -o "$next"
  fi
  records=$next
  student=$out/student-$round
  if [ ! -e "$student" ]; then
    again=
    if [ -e "$student.work" ]; then again=--resume; fi
    mitools train -c "$recipe" --seed "$seed" --save "$student" ${again:+"$again"} "$records" \
      > /dev/null
  fi
  if [ ! -e "$student.json" ]; then
    mitools eval -c "$recipe" --student "$student" --summary "$student.json" \
      -o "$student.jsonl" "$out/data/test.jsonl"
  fi
done

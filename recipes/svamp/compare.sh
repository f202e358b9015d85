#!/usr/bin/env bash
# The objectives side by side: compare.sh RECORDS DIR [OPTION OF TRAIN]... trains and measures a student
# of each objective with each of SEEDS (0 1 2), and sets their answers to the test part against
# those of BASELINE's students (label: those that learn labels only). RECORDS are annotated and split.
# OBJECTIVES="label none maxpool" takes some of them. Stopped half-way, the same command goes on;
# OVERWRITE=1 does everything again.
set -euo pipefail
records=${1:?"usage: compare.sh RECORDS DIR [OPTION OF TRAIN]..."}
out=${2:?"usage: compare.sh RECORDS DIR [OPTION OF TRAIN]..."}
shift 2
mkdir -p "$out"

for seed in ${SEEDS:-0 1 2}; do
  for objective in ${OBJECTIVES:-label none paper maxpool infonce}; do
    run=$out/$objective.$seed
    case $objective in
      label) options=(--mi none --alpha 1) ;;
      *) options=(--mi "$objective") ;;
    esac
    if [ -n "${OVERWRITE:-}" ] || [ ! -e "$run" ]; then
      again=${OVERWRITE:+--overwrite}
      mitools train "$records" "${options[@]}" "$@" --seed "$seed" "${again:---resume}" --save "$run" -o /dev/null
    fi
    if [ -n "${OVERWRITE:-}" ] || [ ! -e "$run.json" ] || [ ! -e "$run.jsonl" ]; then
      mitools eval "$records" --student "$run" --summary "$run.json" -o "$run.jsonl"
    fi
  done
done

baseline=${BASELINE:-label}
theirs=()
for run in "$out/$baseline".[0-9]*.jsonl; do theirs+=(--compare "$run"); done
[ -e "${theirs[1]}" ] || { echo "no students of $baseline in $out; add it to OBJECTIVES, or name another BASELINE" >&2; exit 1; }
for objective in ${OBJECTIVES:-label none paper maxpool infonce}; do
  [ "$objective" = "$baseline" ] && continue
  echo "$objective against $baseline" >&2
  mitools eval "$out/$objective".[0-9]*.jsonl --seeds "${theirs[@]}" --summary "$out/$objective.vs.$baseline.json" -o /dev/null
done

#!/usr/bin/env bash
# Make page.png, a picture of the page that "mitools explain" writes: picture.sh [DIR] takes the
# student of run.sh in DIR (runs/quickstart by default) and its figures. Needs Chromium and
# pngquant; CHROMIUM names another command for the browser.
# The page.png here is of a student trained with "--max-steps 350" and evaluated with
# "--permutations 99": after the whole training there are few errors to show.
set -euo pipefail
recipe=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
out=$(realpath -m "${1:-runs/quickstart}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# From the folder of the records, so that the page names the file without its path.
cd "$(dirname "$out")"
name=$(basename "$out")
mitools explain -q "$name.jsonl" --summary "$name.json" --html "$work/page.html"
# The first wrong record is open. Records are unpacked in the background: give them time.
id=$(mitools explain -q "$name.jsonl" --wrong --limit 1 --json | grep -o '"id": "[^"]*"' | head -n 1 | cut -d '"' -f 4)
# 1,200 pixels wide and in light colours. No sandbox, as in a container: the page is our own.
"${CHROMIUM:-chromium}" --headless --no-sandbox --disable-gpu --hide-scrollbars \
  --force-color-profile=srgb --user-data-dir="$work/profile" \
  --window-size=1500,1050 --force-device-scale-factor=0.8 --virtual-time-budget=10000 \
  --screenshot="$work/page.png" "file://$work/page.html#right=wrong&record=$id" 2> "$work/log" ||
  { cat "$work/log" >&2; exit 1; }
# 96 colours are enough for a page of text and plots, at a third of the size.
pngquant --force --nofs --output "$recipe/page.png" 96 "$work/page.png"

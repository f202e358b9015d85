"""What a page costs: seconds to write, bytes, memory, and seconds until its table filters.

    python -m tests.benchmarks.explain_page [RECORDS ...]

Records are like those of CommonsenseQA with a teacher and a student, about 1 kB each; 10,000 where
no number is given. Writing is a process of its own, by ``mitools explain --html``, with and without
the figures of ``eval``. In the browser, opening is from the start of the navigation to the first
rows on the screen; the rest from a click or a search to the frame that shows its result, the median
of five, and the first search, which prepares the texts, by itself.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.explain.page.browser import Screen, open_browser

VOCABULARY = (
    "the a of to in answer must be something that person place river city market water fish bird "
    "table house above choices only would where what find live go use make work money people time "
    "school street animal apple garden music paper light kitchen window road train letter number"
)

WORDS = VOCABULARY.split()

ACTIONS = {
    "filter by a chip": "document.querySelector('[data-facet=right][data-value=wrong]').click()",
    "filter by a bin": (
        "document.querySelector('g.bin').dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    ),
    "search a text": (
        "const box = document.getElementById('q'); box.value = 'river ' + (window.turn ?? 1);"
        "window.turn = (window.turn ?? 1) + 1; box.form.requestSubmit()"
    ),
    "search an expression": (
        "const box = document.getElementById('q'); document.getElementById('regex').checked = true;"
        "window.turn = (window.turn ?? 1) + 1; box.value = '(river|city) ' + window.turn;"
        "box.form.requestSubmit()"
    ),
    "sort": "document.querySelector('[data-sort=student] button').click()",
    "next record": "explain.step(1)",
}

TIMED = """
const done = arguments[arguments.length - 1];
const start = performance.now();
ACTION;
requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
"""


def sentence(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(WORDS, k=words)).capitalize() + "."


def record(index: int, rng: random.Random) -> dict[str, Any]:
    """Make a record of 1 kB; the student is right as often as it is sure."""
    choices = [" ".join(rng.sample(WORDS, 2)) for _ in range(5)]
    gold, given = choices[0], choices[rng.randrange(5)]
    confidence = round(rng.uniform(0.25, 0.99), 6)
    given = gold if rng.random() < confidence else given
    rest = {name: round((1 - confidence) / 4, 6) for name in choices}
    rationale = f"{sentence(rng, 30)} So the answer is {rng.choice([gold, given])}."
    return {
        "id": f"bench-{index:07}",
        "input": f"{sentence(rng, 24)} Number {index}?",
        "label": gold,
        "choices": choices,
        "task": "choice",
        "split": "test",
        "teacher": {"label": gold, "rationale": sentence(rng, 36), "agrees": True},
        "student": {
            "label": given,
            "rationale": rationale,
            "confidence": confidence,
            "choices": {**rest, given: confidence},
            "model": "bench@0123456789ab",
        },
    }


def write_summary(path: Path, records: int) -> None:
    """Write as much of a summary as spares the page its own resampling."""
    metric = {"value": 0.1, "ci95": [0.09, 0.11], "n": records, "status": "ok", "unit": "fraction"}
    path.write_text(json.dumps({"records": records, "calibration": {"ece_width": metric}}))


def write_page(records: Path, page: Path, *options: str) -> dict[str, float]:
    command = [sys.executable, "-m", "mitools", "explain", "-q", str(records)]
    started = time.perf_counter()
    process = subprocess.Popen([*command, "--html", str(page), *options])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return {
        "s": time.perf_counter() - started,
        "CPU s": usage.ru_utime + usage.ru_stime,
        "peak MB": usage.ru_maxrss / 1024,
    }


def in_browser(screen: Screen, page: Path) -> dict[str, float]:
    """Measure milliseconds."""
    screen.driver.set_page_load_timeout(300)
    screen.driver.set_script_timeout(300)
    screen.open(page)
    found = {"open": float(screen.run("return document.documentElement.dataset.ready"))}
    first = ACTIONS["search a text"]
    found["first search"] = timed(screen, first)
    for name, action in ACTIONS.items():
        found[name] = statistics.median(timed(screen, action) for _ in range(5))
        screen.run("explain.clearFilters()")
    found["heap MB"] = screen.run("return performance.memory.usedJSHeapSize / 1e6")
    return found


def timed(screen: Screen, action: str) -> float:
    took: float = screen.driver.execute_async_script(TIMED.replace("ACTION", action))
    return took


def show(title: str, figures: dict[str, float]) -> None:
    cells = ", ".join(f"{name} {value:,.1f}" for name, value in figures.items())
    sys.stdout.write(f"  {title}: {cells}\n")
    sys.stdout.flush()


def main(*sizes: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in sizes or (10_000,):
            records, page, summary = (folder / file for file in ("r.jsonl", "p.html", "s.json"))
            rng = random.Random(0)
            with records.open("w", encoding="utf-8") as stream:
                stream.writelines(json.dumps(record(index, rng)) + "\n" for index in range(size))
            write_summary(summary, size)
            megabytes = records.stat().st_size / 1e6
            sys.stdout.write(f"{size:,} records, {megabytes:,.1f} MB\n")
            show("write, figures computed", write_page(records, page))
            show("write, figures of eval", write_page(records, page, "--summary", str(summary)))
            show("page, MB", {"size": page.stat().st_size / 1e6})
            with open_browser() as screen:
                show("browser, ms", in_browser(screen, page))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

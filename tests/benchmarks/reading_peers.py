"""Our reading beside the peers', each on the cases of the peers' own test suites.

    python tests/benchmarks/reading_peers.py --math-verify DIR --lm-eval DIR --inspect DIR \
        --simple-evals DIR

DIR is a checkout of the peer's repository; none of its code is part of this project. Cases are
taken out of its test files without running them. The peer's own reader runs where its package can
be imported (math-verify, inspect_ai), or where it is a regular expression in the checkout
(lm-evaluation-harness, simple-evals, the letters of inspect_ai).

A case is a completion, a gold answer, and whether they are the same. Right: the reading says so
too; where gold is not a number (a set, a root), nothing is read. Misread: a reading that says the
opposite. Unread: nothing is read where something was to be.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mitools.reading.numbers import EquationReader
from mitools.tasks import task_named

EQUATION, CHOICE = task_named("equation"), task_named("choice")
NUMBERS = EquationReader()
LETTERS = ["first thing", "second thing", "third thing", "fourth thing"]


@dataclass(frozen=True)
class Case:
    """A completion, and what its suite says of it."""

    suite: str
    completion: str
    gold: str
    is_same: bool
    choices: tuple[str, ...] = ()


Verdict = bool | None
Reader = Callable[[Case], Verdict]


def ours(case: Case) -> Verdict:
    """Tell whether we read the gold answer; None where we read nothing."""
    if case.choices:
        label = CHOICE.parse(case.completion, case.choices).label
        return None if label is None else label == case.gold
    label = EQUATION.parse(case.completion).label
    return None if label is None else EQUATION.is_equal(label, number(case.gold))


def number(gold: str) -> str | None:
    """Read gold, which may be a whole solution, as the number it gives."""
    found = NUMBERS.read(gold.strip("$ "), None)
    return found if isinstance(found, str) else EQUATION.parse(gold).label


def outcome(case: Case, verdict: Verdict, *, is_readable: bool) -> str:
    if verdict is None:
        return "unread" if case.is_same and is_readable else "right"
    if not is_readable and case.is_same and not verdict:
        return "misread"
    return "right" if verdict == case.is_same else "misread"


# The cases


def parametrized(path: Path) -> Iterator[dict[str, Any]]:
    """Give the literal rows of every ``parametrize`` in a test file, by argument name."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func).endswith("parametrize")):
            continue
        names = re.split(r"\s*,\s*", ast.literal_eval(node.args[0]))
        rows = node.args[1].elts if isinstance(node.args[1], ast.List | ast.Tuple) else []
        for row in rows:
            try:
                values = ast.literal_eval(row)
            except ValueError:
                continue  # a row that calls something
            yield dict(zip(names, values if len(names) > 1 else [values], strict=False))


def math_verify_cases(root: Path) -> Iterator[Case]:
    for path in sorted((root / "tests").glob("test_*.py")):
        for row in parametrized(path):
            same = row.get("expected", row.get("result"))
            if {"gold", "pred"} <= row.keys() and same in (0, 1):
                yield Case("math-verify", row["pred"], row["gold"], bool(same))


def inspect_cases(root: Path) -> Iterator[Case]:
    for path in sorted((root / "tests" / "scorer").glob("test_*.py")):
        if path.stem in ("test_match", "test_answer", "test_choice"):
            yield from _inspect_tests(path)
    cases = root / "tests" / "scorer" / "math_cases.json"
    for row in json.loads(cases.read_text("utf-8")) if cases.exists() else []:
        if row["expected"] in ("C", "I"):
            yield Case("inspect math", row["output"], row["target"], row["expected"] == "C")


def _inspect_tests(path: Path) -> Iterator[Case]:
    """Read the tests of one output, one target and one verdict."""
    for node in ast.parse(path.read_text("utf-8")).body:
        source = ast.unparse(node)
        output = re.search(r"model_output=(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")", source)
        target = re.search(r"Target\(\[?(?P<text>'[^']*'|\"[^\"]*\")\]?\)", source)
        verdict = re.search(r"text == (CORRECT|INCORRECT)", source)
        # Our labels are the whole answer: a target inside a longer text is another question.
        if output is None or target is None or verdict is None or "location=" in source:
            continue
        text, gold = ast.literal_eval(output["text"]), ast.literal_eval(target["text"])
        same = verdict[1] == "CORRECT"
        if path.stem == "test_match" and "numeric=True" in source:
            yield Case("inspect match", text, gold, same)
        elif len(gold) == 1 and gold in "ABCD" and "choice(" in source + "answer('letter')":
            place = ord(gold) - ord("A")
            yield Case(f"inspect {path.stem[5:]}", text, LETTERS[place], same, tuple(LETTERS))


def simple_evals_cases(root: Path) -> Iterator[Case]:
    """Make a completion for each way to announce an answer that its regular expressions know."""
    for pattern in strings_of(root / "common.py", "MULTILINGUAL_ANSWER_REGEXES"):
        cue = pattern.replace(r"\s*", "")
        yield Case("simple-evals mmlu", f"...\n{cue} B", LETTERS[1], True, tuple(LETTERS))
    for cue in strings_of(root / "mgsm_eval.py", "LANG_TO_ANSWER_PREFIX"):
        yield Case("simple-evals mgsm", f"...\n{cue}: 1,234", "1234", True)


def strings_of(path: Path, name: str) -> list[str]:
    """Give the strings of a list, or the values of a dictionary, that a module assigns."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            value = ast.literal_eval(node.value)
            return list(value.values()) if isinstance(value, dict) else list(value)
    return []


# The peers' readers


def math_verify_reader() -> Reader | None:
    try:
        from math_verify import parse, verify  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return None

    def read(case: Case) -> Verdict:
        found = parse(case.completion)
        return bool(verify(parse(case.gold), found)) if found else None

    return read


def last_number_reader(root: Path) -> Reader | None:
    """lm-evaluation-harness, GSM8K, "flexible-extract": the last number of the text."""
    task = root / "lm_eval" / "tasks" / "gsm8k" / "gsm8k.yaml"
    patterns = re.findall(r'regex_pattern: "(.*)"', task.read_text("utf-8"))
    flexible = re.compile(patterns[-1])

    def read(case: Case) -> Verdict:
        groups = flexible.findall(case.completion)
        text = next(filter(None, groups[-1]), "") if groups else ""
        value = text.replace("$", "").replace(",", "").rstrip(".")
        return EQUATION.is_equal(value, number(case.gold)) if value else None

    return read


def inspect_reader(root: Path) -> Reader:
    """inspect_ai: ``match(numeric=True)``, where it is installed, and the last "ANSWER: letter"."""
    source = (root / "src" / "inspect_ai" / "_util" / "pattern.py").read_text("utf-8")
    written = next(
        node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ANSWER_PATTERN_LETTER"
    )
    letter = re.compile(ast.literal_eval(written))
    try:
        from inspect_ai.scorer._common import (  # type: ignore[import-not-found,unused-ignore]
            match_str,
        )
    except ImportError:
        match_str = None

    def read(case: Case) -> Verdict:
        if case.choices:
            found = letter.search(case.completion)
            place = ord(found[1].upper()) - ord("A") if found else None
            return None if place is None else case.choices.index(case.gold) == place
        if match_str is None:
            return None
        answer, is_same = match_str(case.completion, case.gold, numeric=True)
        return bool(is_same) if answer else None

    return read


def simple_evals_reader(root: Path) -> Reader:
    """simple-evals: "Answer: X" in its languages, the number without commas behind a prefix."""
    cues = strings_of(root / "common.py", "MULTILINGUAL_ANSWER_REGEXES")
    prefixes = strings_of(root / "mgsm_eval.py", "LANG_TO_ANSWER_PREFIX")

    def read(case: Case) -> Verdict:
        if case.choices:
            for cue in cues:
                found = re.search(rf"(?i){cue}[ \t]*([A-D])", case.completion)
                if found:
                    return case.choices.index(case.gold) == ord(found[1].upper()) - ord("A")
            return None
        for prefix in prefixes:
            if prefix in case.completion:
                behind = case.completion.split(prefix)[-1]
                values = re.findall(r"\d+\.?\d*", behind.replace(",", ""))
                return EQUATION.is_equal(values[-1], number(case.gold)) if values else None
        return None

    return read


def table(cases: list[Case], readers: dict[str, Reader], *, verbose: bool) -> None:
    """Write a row for each suite and reader."""
    show(f"{'suite':20}{'reader':18}{'right':>7}{'misread':>9}{'unread':>8}{'cases':>7}")
    for suite in dict.fromkeys(case.suite for case in cases):
        own = [case for case in cases if case.suite == suite]
        for name, read in readers.items():
            counts: Counter[str] = Counter()
            for case in own:
                is_readable = bool(case.choices) or number(case.gold) is not None
                # A peer may read more than numbers; its verdict alone counts.
                found = outcome(case, read(case), is_readable=is_readable or read is not ours)
                counts[found] += 1
                if verbose and read is ours and found != "right":
                    show(f"  {found}: {case.completion!r} (gold {case.gold!r}, {case.is_same})")
            figures = f"{counts['right']:7}{counts['misread']:9}{counts['unread']:8}{len(own):7}"
            show(f"{suite:20}{name:18}{figures}")


def show(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("math-verify", "lm-eval", "inspect", "simple-evals"):
        parser.add_argument(f"--{name}", type=Path, metavar="DIR", help=f"checkout of {name}")
    parser.add_argument("-v", "--verbose", action="store_true", help="show what we do not read")
    asked = parser.parse_args()
    cases: list[Case] = []
    readers: dict[str, Reader] = {"mitools": ours}
    if asked.math_verify:
        cases += math_verify_cases(asked.math_verify)
        if verified := math_verify_reader():
            readers["math-verify"] = verified
    if asked.inspect:
        cases += inspect_cases(asked.inspect)
        readers["inspect_ai"] = inspect_reader(asked.inspect)
    if asked.simple_evals:
        cases += simple_evals_cases(asked.simple_evals)
        readers["simple-evals"] = simple_evals_reader(asked.simple_evals)
    if asked.lm_eval and (last := last_number_reader(asked.lm_eval)):
        readers["lm-eval flexible"] = last
    table(cases, readers, verbose=asked.verbose)


if __name__ == "__main__":
    main()

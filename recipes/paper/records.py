#!/usr/bin/env python3
"""Print the records of the official run of arXiv 2403.03348, as ``mitools train`` reads them.

    records.py DATASETS NAME > records.jsonl

DATASETS is the unpacked ``datasets.zip`` of https://github.com/xinchen9/cot_distillation_ACL2024,
NAME is svamp, cqa, anli1 or esnli. The splits, the inputs and the reading of PaLM's replies follow
``data_utils.py`` and ``main.py`` of that repository at commit 59ca033; the lines are in README.md.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Record = dict[str, Any]
END = "</s>"  # the end token of T5
NLI = ("entailment", "neutral", "contradiction")
BLANK = " "


@dataclass(frozen=True)
class Source:
    """One data set.

    Attributes:
        cue: words between rationale and label in a reply; the text after ``stop`` is dropped first.
        has_valid: whether it comes with a validation split; otherwise a tenth of train is held out.
    """

    cue: str
    stop: str
    has_valid: bool


SOURCES = {
    "svamp": Source("The answer is", "Q:", has_valid=False),
    "cqa": Source("So the answer is", "Q:", has_valid=False),
    "anli1": Source("So the answer is", "Premise:", has_valid=True),
    "esnli": Source("Answer:", "Premise", has_valid=True),
}


def read_reply(reply: str, name: str) -> tuple[str, str]:
    """Split a reply into rationale and label; both are blank where the cue is not there once."""
    source = SOURCES[name]
    if name == "esnli":  # all of a reply without the cue is its rationale
        rationale, _, rest = reply.partition(source.cue)
        return rationale.rstrip(), rest.partition(source.stop)[0].strip() or BLANK
    own = reply.partition(source.stop)[0].rstrip()
    if own.count(source.cue) != 1:
        return BLANK, BLANK
    rationale, _, stated = own.partition(source.cue)
    return rationale.rstrip(), _read_label(stated, name) or BLANK


def _read_label(stated: str, name: str) -> str:
    if name == "svamp":
        found = re.search(r"\(.*\)", stated)
        return found[0] if found else ""
    if name == "cqa":
        letters = re.split(r"\(.\)", stated)
        return letters[1].strip().removesuffix(".") if len(letters) > 1 else ""
    return stated.lstrip()[:-1]


def question_of(row: Record, name: str) -> tuple[str, str]:
    """Give the input and the gold label of a row."""
    if name == "svamp":
        return row["input"], row["label"]
    if name == "cqa":
        lines = [f"({letter}) {text}" for letter, text in zip("abcde", row["choices"], strict=True)]
        return "\n".join([row["question"], "Answer Choices:", *lines]), row["answer"]
    label = row["label"]
    return END.join([row["premise"], row["hypothesis"]]), NLI[label] if label in (
        0,
        1,
        2,
    ) else label


def read_split(datasets: Path, name: str, split: str) -> Iterator[Record]:
    """Yield the rows of a split with what the teacher said of them."""
    folder = datasets / name
    replies = _read_replies(folder / "llm", split)
    with (folder / f"{name}_{split}.json").open(encoding="utf-8") as rows:
        for number, line in enumerate(rows):
            text, label = question_of(json.loads(line), name)
            rationale, guess = read_reply(next(replies), name)
            yield {
                "id": f"{name}-{split}-{number}",
                "input": text,
                "label": label,
                # Without choices the student decodes its label, as there.
                "task": "equation" if name == "svamp" else "text",
                "teacher": {
                    "label": guess if guess.strip() else None,
                    "rationale": rationale if rationale.strip() else None,
                },
                "split": split,
            }


def _read_replies(folder: Path, split: str) -> Iterator[str]:
    number = 0
    while (path := folder / f"{split}_CoT_{number}.json").exists():
        yield from json.loads(path.read_text(encoding="utf-8"))
        number += 1
    raise SystemExit(f"{folder}: there are fewer replies to {split} than rows")


def hold_out(records: list[Record]) -> list[Record]:
    """Take the tenth out of train that is never trained on: ``train_test_split(0.1, seed=0)``."""
    from datasets import Dataset

    places = Dataset.from_dict({"place": range(len(records))}).train_test_split(0.1, seed=0)
    held = set(places["test"]["place"])
    return [{**row, "split": "valid" if i in held else "train"} for i, row in enumerate(records)]


def records_of(datasets: Path, name: str) -> Iterator[Record]:
    """Yield all records of a data set."""
    train = read_split(datasets, name, "train")
    if SOURCES[name].has_valid:
        yield from train
        yield from read_split(datasets, name, "valid")
    else:
        yield from hold_out(list(train))
    yield from read_split(datasets, name, "test")


def main() -> None:
    if len(sys.argv) != 3 or sys.argv[2] not in SOURCES:
        raise SystemExit(f"usage: records.py DATASETS {'|'.join(SOURCES)} > records.jsonl")
    for record in records_of(Path(sys.argv[1]), sys.argv[2]):
        sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

"""Options that several commands share have one definition."""

from __future__ import annotations

import importlib
from collections import defaultdict
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mitools.cli import COMMANDS, mitools

# The student to start from is not the student to ask; records of a training step are not those
# that are asked about at once; the student of annotate answers in the teacher's place.
OTHER_MEANING = {
    ("annotate", "--student"),
    ("init", "--student"),
    ("init", "--task"),
    ("study", "--student"),
    ("train", "--student"),
    ("train", "--batch-size"),
}
SHARED = ("--task", "--device", "--seed", "--student", "--batch-size", "--tokens-per-batch")


def help_texts(flag: str) -> dict[str, str]:
    found = {}
    for name in COMMANDS:
        for param in importlib.import_module(f"mitools.cli.{name}").command.params:
            is_shared = flag in param.opts and (name, flag) not in OTHER_MEANING
            if isinstance(param, click.Option) and is_shared:
                found[name] = str(param.help)
    return found


@pytest.mark.parametrize("flag", SHARED)
def test_a_shared_option_has_the_same_help_everywhere(flag: str) -> None:
    texts = help_texts(flag)
    assert texts
    assert len(set(texts.values())) == 1, texts


def test_an_option_of_every_stage_is_the_same_in_all_of_them() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for flag in (
        "--output",
        "--on-error",
        "--max-line-bytes",
        "--max-depth",
        "--config",
        "--quiet",
    ):
        found[flag] |= set(help_texts(flag).values())
    assert {flag: len(texts) for flag, texts in found.items()} == dict.fromkeys(found, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ("annotate", "-m", "m", "--show-prompt"),
        ("annotate", "-m", "m", "--dry-run"),
        ("annotate", "-m", "m", "--emit-batch", "-"),
        ("train", "--save", "x", "--student", "scratch:tiny", "--dry-run"),
    ],
    ids=" ".join,
)
def test_an_output_that_nothing_would_write_is_refused(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    out = tmp_path / "out.jsonl"
    result = CliRunner().invoke(mitools, [*arguments, "-o", str(out)], input='{"input": "a"}\n')
    assert (result.exit_code, result.stdout) == (2, "")
    assert "writes no records, so --output would have no effect; leave it out" in result.stderr
    assert not out.exists()

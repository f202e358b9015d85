"""The bounds on what is read: one table, its options, and what they do in every stage."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner, Result

from mitools.bounds import DEEPEST, DEFAULTS, TABLE
from mitools.cli import mitools

STAGES = {
    "load": (),
    "annotate": ("--teacher", "replay"),
    "split": (),
    "split --exact": ("--dedup", "exact"),
    "eval": ("--split", "all"),
    "explain": ("--json",),
}
EVERY_STAGE = pytest.mark.parametrize("stage", STAGES)

GOOD = {
    "id": "a",
    "input": "1 + 1?",
    "label": "2",
    "task": "equation",
    "completion": "So the answer is 2.",
    "student": {"label": "2", "rationale": "One and one.", "confidence": 0.5},
}
LINE = json.dumps(GOOD)


def with_field(value: str) -> str:
    return f'{LINE[:-1]}, "more": {value}}}'


@pytest.fixture(autouse=True)
def _digits() -> Iterator[None]:
    before = sys.get_int_max_str_digits()
    yield
    sys.set_int_max_str_digits(before)


def run(stage: str, lines: list[str], *args: str) -> Result:
    stdin = "".join(f"{line}\n" for line in lines)
    return CliRunner().invoke(mitools, [*stage.split(), *STAGES[stage], "-q", *args], input=stdin)


BEYOND = {
    "--max-line-bytes": (with_field(json.dumps("x" * 3000)), "3K", "1M"),
    "--max-depth": (with_field("[" * 40 + "]" * 40), "40", "41"),
    "--max-digits": (with_field("9" * 5000), "4999", "5000"),
}


@EVERY_STAGE
@pytest.mark.parametrize("option", BEYOND)
def test_a_line_beyond_a_bound_is_refused_and_the_option_lets_it_in(
    stage: str, option: str
) -> None:
    line, low, high = BEYOND[option]
    refused = run(stage, [LINE, line], option, low)
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"mitools {stage.split()[0]}: <stdin>:2: ")
    assert f'"{option} ' in refused.stderr
    assert refused.stderr.count("\n") == 1
    skipped = run(stage, [LINE, line, LINE], option, low, "--on-error", "skip")
    assert (skipped.exit_code, len(skipped.stdout.splitlines())) == (0, 2)
    passed = run(stage, [LINE, line], option, high)
    assert passed.exit_code == 0, passed.stderr
    value = json.loads(passed.stdout.splitlines()[1])["more"]
    assert value == json.loads(line)["more"]


@pytest.mark.parametrize("size", ["0", "x", "-1", "1.5M", "", "1T", "9" * 13])
def test_a_size_that_is_none_is_a_usage_error(size: str) -> None:
    result = run("split", [LINE], "--max-line-bytes", size)
    assert result.exit_code == 2
    assert f'"{size}" is not a size: write bytes, or a unit, such as "16M"' in result.stderr


@pytest.mark.parametrize("size", ["2000", "2K", "1 MiB", "3mb", "1G"])
def test_a_size_may_have_a_unit(size: str) -> None:
    assert run("split", [LINE], "--max-line-bytes", size).exit_code == 0


@EVERY_STAGE
def test_the_deepest_record_that_may_be_asked_for_passes(stage: str) -> None:
    line = with_field("[" * (DEEPEST - 1) + "]" * (DEEPEST - 1))
    done = run(stage, [line], "--max-depth", str(DEEPEST))
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["more"] == json.loads(line)["more"]
    assert run(stage, [line], "--max-depth", str(DEEPEST - 1)).exit_code == 1


def test_every_option_in_the_table_is_one_of_every_stage_with_that_default() -> None:
    for bound in TABLE:
        assert bound.what
        assert bound.why
        everywhere = ("load", "annotate", "split", "train", "eval", "explain")
        alone = {"--max-response-bytes": ("annotate",), "--max-json-bytes": ("load",)}
        stages = alone.get(bound.option, everywhere)
        for stage in stages if bound.option else ():
            command = mitools.get_command(click.Context(mitools), stage)
            assert command is not None
            assert bound.option in {name for param in command.params for name in param.opts}
    defaults = {bound.option: bound.default for bound in TABLE}
    assert defaults["--max-line-bytes"] == f"{DEFAULTS.line_bytes >> 20} MiB"
    assert defaults["--max-digits"] == f"{DEFAULTS.digits:,}"


def test_the_table_is_printed() -> None:
    result = CliRunner().invoke(mitools, ["schema", "--bounds"])
    assert result.exit_code == 0
    header, *rows = result.stdout.splitlines()
    assert header.split() == ["bound", "default", "option"]
    assert len(rows) == len(TABLE)
    for row, bound in zip(rows, TABLE, strict=True):
        assert row.startswith(bound.what)
        assert row.endswith(bound.option)


def test_the_digits_allowed_are_those_of_this_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    sys.set_int_max_str_digits(0)  # as PYTHONINTMAXSTRDIGITS=0 would
    result = run("split", [with_field("9" * 5000)])
    assert result.exit_code == 1
    assert "a number has too many digits" in result.stderr

"""``mitools schema``: a record's schema, the same as a table, and the limits on input."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from mitools.bounds import TABLE
from mitools.cli import mitools
from mitools.evaluate.catalog import figures_table, summary_schema
from mitools.schema import fields_table, json_schema


def run(*args: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(mitools, ["schema", *args], prog_name="mitools")
    return done.exit_code, done.stdout, done.stderr


def test_the_schema_of_a_record_is_json_schema() -> None:
    code, out, err = run()
    assert (code, json.loads(out), err) == (0, json_schema(), "")


def test_the_fields_are_printed_as_markdown() -> None:
    assert run("--table") == (0, fields_table() + "\n", "")


def test_the_schema_of_a_summary_is_json_schema() -> None:
    code, out, err = run("--summary")
    assert (code, json.loads(out), err) == (0, summary_schema(), "")


def test_the_figures_of_a_summary_are_printed_as_markdown() -> None:
    assert run("--summary", "--table") == (0, figures_table() + "\n", "")


def test_the_limits_are_printed_with_the_options_that_set_them() -> None:
    code, out, err = run("--bounds")
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 1 + len(TABLE)
    assert out.splitlines()[1].split("  ")[-1] == "--max-line-bytes"


@pytest.mark.parametrize("option", ["--table", "--summary"])
def test_one_thing_is_printed_at_a_time(option: str) -> None:
    code, out, err = run(option, "--bounds")
    assert (code, out) == (2, "")
    assert err == f"mitools schema: {option} and --bounds exclude each other; leave one out\n"

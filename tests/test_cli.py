"""The command line as a whole: exact words, exit status, and how fast it answers."""

from __future__ import annotations

import inspect
import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mitools.cli import COMMANDS, mitools
from mitools.recipe import find_recipe, list_recipes
from mitools.schema import json_schema

PROGRAM = [sys.executable, "-m", "mitools"]
HEAVY = {
    *("torch", "transformers", "datasets", "openai", "jinja2", "sklearn", "scipy", "rich"),
    *("matplotlib", "numpy", "pyarrow", "accelerate", "safetensors", "sacrebleu", "zstandard"),
}
EVERY_COMMAND = pytest.mark.parametrize("name", COMMANDS)

HELP = """\
Usage: mitools [OPTIONS] COMMAND [ARGS]...

  Turn a large language model's reasoning into a small model that answers and
  explains.

  The commands from load to explain are stages: each reads JSON Lines, adds
  fields, and writes JSON Lines.

  mitools load svamp | mitools annotate -m MODEL | mitools split |
    mitools train --save runs/svamp | mitools eval --student runs/svamp | mitools explain

Options:
  --version   Show the version and exit.
  -h, --help  Show this message and exit.

Commands:
  load        Turn a data set into records.
  annotate    Let a teacher LLM answer and explain each record.
  split       Assign each record to train, valid or test.
  train       Teach a small student to answer and to explain.
  eval        Measure a student: accuracy, calibration, consistency.
  explain     Show gold, teacher and student side by side.
  export      Export a student to another runtime.
  study       Train and measure many students, and compare them.
  init        Start a recipe of your own.
  recipes     List the recipes that came with mitools.
  schema      Print the JSON Schema of a record.
  completion  Print a script for completion in the shell.

  "mitools help COMMAND" shows the options of a command. "mitools help
  completion" shows how to set up completion in your shell.
"""


def run(*args: str, stdin: str = "") -> tuple[int, str, str]:
    done = CliRunner().invoke(mitools, args, input=stdin, prog_name="mitools")
    return done.exit_code, done.stdout, done.stderr


def shell(script: str, cwd: Path | None = None) -> tuple[int, str, str]:
    """Run a line of shell in which ``mitools`` is this one."""
    line = f'mitools() {{ "{sys.executable}" -m mitools "$@"; }}; {script}'
    done = subprocess.run(["bash", "-c", line], capture_output=True, encoding="utf-8", cwd=cwd)
    return done.returncode, done.stdout, done.stderr


# Words and status


def test_help_says_what_the_commands_do() -> None:
    assert run("--help") == run("-h") == (0, HELP, "")


@pytest.mark.parametrize(
    ("words", "same_as"),
    [
        (("help",), ("--help",)),
        (("help", "help"), ("--help",)),
        (("help", "train"), ("train", "--help")),
        (("help", "train", "records.jsonl"), ("train", "--help")),
    ],
)
def test_help_is_a_command_too(words: tuple[str, ...], same_as: tuple[str, ...]) -> None:
    code, out, err = run(*words)
    assert (code, err) == (0, "")
    assert out == run(*same_as)[1]
    assert out.startswith("Usage: mitools ")


def test_no_command_gives_the_help_as_a_usage_error() -> None:
    assert run() == (2, "", HELP)


def test_version_is_the_package_s() -> None:
    from mitools import __version__

    assert run("--version") == (0, f"mitools, version {__version__}\n", "")


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("lod",), 'mitools: no command "lod"; did you mean "load"?; see "mitools --help"'),
        (("zzz", "x"), 'mitools: no command "zzz"; see "mitools --help"'),
        (("help", "lod"), 'mitools: no command "lod"; did you mean "load"?; see "mitools --help"'),
        (("an",), 'mitools: no command "an"; did you mean "annotate"?; see "mitools --help"'),
        (("hlep",), 'mitools: no command "hlep"; did you mean "help"?; see "mitools --help"'),
        (("--debug",), 'mitools: no option "--debug"; see "mitools --help"'),
        (
            ("split", "--tset", "1"),
            'mitools split: no option "--tset"; did you mean "--test"?; see "mitools split --help"',
        ),
        (
            ("split", "--test"),
            "mitools split: Option '--test' requires an argument; see \"mitools split --help\"",
        ),
        (
            ("split", "--test", "x"),
            "mitools split: Invalid value for '--test': 'x' is not a valid float; "
            'see "mitools split --help"',
        ),
        (
            ("train",),
            "mitools train: Missing option '--save'; see \"mitools train --help\"",
        ),
        (
            ("split", "--on-error", "ignore"),
            "mitools split: Invalid value for '--on-error': "
            'use "stop", "skip" or "divert:FILE"; see "mitools split --help"',
        ),
        (
            ("schema", "x"),
            'mitools schema: Got unexpected extra argument (x); see "mitools schema --help"',
        ),
        (
            ("split", "--valid", "0.7", "--test", "0.7"),
            "mitools split: the shares of test and valid add up to more than 1 (0.7 + 0.7); "
            "lower --test or --valid",
        ),
        (
            ("split", "-c", "svmap"),
            'mitools split: no recipe or file "svmap"; did you mean "svamp"?',
        ),
    ],
)
def test_a_usage_error_is_one_line_and_status_2(args: tuple[str, ...], line: str) -> None:
    assert run(*args) == (2, "", line + "\n")


@EVERY_COMMAND
def test_an_option_that_no_command_has_is_one_line(name: str) -> None:
    code, out, err = run(name, "--zzzzzz")
    assert (code, out) == (2, "")
    assert err == f'mitools {name}: no option "--zzzzzz"; see "mitools {name} --help"\n'


def test_schema_is_json_schema() -> None:
    code, out, err = run("schema")
    assert (code, err) == (0, "")
    assert json.loads(out) == json_schema()


def test_recipes_are_listed_with_their_files() -> None:
    lines = "".join(f"{name}\t{find_recipe(name)}\n" for name in list_recipes())
    assert run("recipes") == (0, lines, "")


def test_debug_shows_where_it_failed() -> None:
    code, out, err = shell("mitools split nowhere.jsonl --debug")
    assert (code, out) == (1, "")
    assert "Traceback" in err
    assert err.endswith("SourceError: cannot read nowhere.jsonl: No such file or directory; "
                        "check the path\n")  # fmt: skip


def test_an_error_that_nobody_foresaw_is_one_line_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("two\nlines")

    monkeypatch.setattr("mitools.split.HashSplitter.split", fail)
    assert run("split", stdin='{"input": "a"}\n') == (
        1,
        "",
        r"mitools split: unexpected KeyError: 'two\nlines'; "
        "run it again with --debug to see where\n",
    )
    done = CliRunner().invoke(mitools, ["split", "--debug"], input='{"input": "a"}\n')
    assert isinstance(done.exception, KeyError)


# Streams that fail


@pytest.mark.parametrize("command", ["--help", "--version", "split --help", "schema", "recipes"])
def test_a_full_disk_is_one_line_for_what_is_no_stage_too(command: str) -> None:
    code, _, err = shell(f"mitools {command} > /dev/full")
    assert code == 1
    assert "cannot write <stdout>: No space left on device" in err
    assert err.count("\n") == 1


RECORD = """echo '{"input": "a"}'"""


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("mitools split -q <&-", "cannot read <stdin>: "),
        (f"{RECORD} | mitools split -q >&-", "cannot write <stdout>: "),
        (f"{RECORD} | mitools explain -q >&-", "cannot write <stdout>: "),
        ("mitools schema >&-", "cannot write <stdout>: "),
    ],
)
def test_a_stream_that_the_shell_closed_is_one_line(script: str, problem: str) -> None:
    code, out, err = shell(script)
    assert (code, out) == (1, "")
    assert problem in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("to", ["2>&-", "2> /dev/full"])
def test_a_stderr_that_cannot_be_written_loses_no_record(to: str) -> None:
    code, out, _ = shell(f"{RECORD} | mitools split {to} | mitools explain --json {to}")
    assert code == 0
    assert json.loads(out)["input"] == "a"


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "ascii:replace"])
def test_records_are_utf8_whatever_the_locale_says(encoding: str) -> None:
    record = """printf '{"id": "1", "input": "größer 😀"}\\n'"""
    code, out, err = shell(
        f"export PYTHONIOENCODING={encoding}; {record} | mitools explain --json -q"
    )
    assert (code, out, err) == (0, '{"id": "1", "input": "größer 😀"}\n', "")


def test_a_pipe_of_stages_hands_records_on(tmp_path: Path) -> None:
    script = (
        "set -o pipefail; mitools load demo --n 9 -q | mitools annotate --teacher demo -q |"
        " mitools split -q | mitools explain --json -q"
    )
    code, out, err = shell(script, tmp_path)
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 9
    assert all("teacher" in json.loads(line) for line in out.splitlines())
    assert os.listdir(tmp_path) == []


# Help


@EVERY_COMMAND
def test_every_command_has_a_first_sentence_and_examples(name: str) -> None:
    command = mitools.get_command(click.Context(mitools), name)
    assert command is not None
    first, _, rest = inspect.cleandoc(str(command.help)).partition("\n")
    assert first.startswith(COMMANDS[name].rstrip("."))
    assert any(line.startswith("mitools ") for line in rest.splitlines())


@EVERY_COMMAND
def test_every_option_says_what_it_does(name: str) -> None:
    command = mitools.get_command(click.Context(mitools), name)
    assert command is not None
    for param in command.params:
        if isinstance(param, click.Option):
            assert param.help, param.opts
            assert param.help.rstrip()[-1] in ".])", param.opts


@EVERY_COMMAND
def test_help_fits_a_terminal(name: str) -> None:
    code, out, err = run(name, "--help")
    assert (code, err) == (0, "")
    first_heading = re.search(r"^\w[\w ]*:$", out, re.MULTILINE)
    assert first_heading is not None
    options = out[first_heading.start() :]
    assert "--help" in options
    assert max(map(len, options.splitlines())) <= 80


# Speed


@pytest.mark.parametrize("args", [(), *((name,) for name in COMMANDS)], ids=" ".join)
def test_help_imports_nothing_heavy(args: tuple[str, ...]) -> None:
    script = (
        "import sys, runpy, contextlib\n"
        "with contextlib.suppress(SystemExit):\n"
        "    runpy.run_module('mitools', run_name='__main__')\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *args, "--help"], capture_output=True, text=True, check=True
    )
    assert "Show this message and exit" in done.stdout
    imported = set(done.stderr.split())
    assert "mitools" in imported
    assert not imported & HEAVY


def test_help_takes_less_than_half_a_second_of_processor_time() -> None:
    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*PROGRAM, "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(3)) < 0.5


@pytest.mark.parametrize(
    ("given", "spins"),
    [
        ({}, "20000"),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, None),
    ],
)
def test_threads_of_openmp_spin_less_unless_the_user_says(
    given: dict[str, str], spins: str | None
) -> None:
    script = (
        "import os, sys; from mitools.cli import main; sys.argv = ['mitools', '--version']\n"
        "try: main()\nexcept SystemExit: print(os.environ.get('GOMP_SPINCOUNT'))"
    )
    names = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    env = {name: value for name, value in os.environ.items() if name not in names}
    found = subprocess.run(
        [sys.executable, "-c", script], env={**env, **given}, capture_output=True, text=True
    )
    assert found.stdout.splitlines()[-1] == str(spins)

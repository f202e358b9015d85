"""``make install`` and its neighbours, with stand-ins for Python and pip that log their calls."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PYTHON = """#!/bin/sh
# Stands for the Python that makes the environment, and for the one in it.
echo "$*" >> "$LOG"
case $1 in
  -c) echo "${VERSION:-3.12 new}" ;;
  -m)
    case $2 in
      venv) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
      pip) case $* in *--editable*) echo "Collecting torch"; exit "${STATUS:-0}" ;; esac ;;
    esac ;;
esac
"""


@pytest.fixture
def python(tmp_path: Path) -> Path:
    program = tmp_path / "python3"
    program.write_text(PYTHON)
    program.chmod(0o755)
    return program


def make(*words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "LOG": str(folder / "log"), **environment}
    env.pop("MAKEFLAGS", None)
    command = ["make", "-C", str(ROOT), "--no-print-directory", f"VENV={folder / 'venv'}", *words]
    return subprocess.run(command, env=env, capture_output=True, text=True)


def installed(folder: Path) -> list[str]:
    calls = (folder / "log").read_text().splitlines()
    return [call.partition(" --editable ")[2] for call in calls if "--editable" in call]


def test_install_brings_what_running_needs_and_says_what_to_type(
    python: Path, tmp_path: Path
) -> None:
    done = make("install", f"PYTHON={python}", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert installed(tmp_path) == [".[gguf]"]
    lines = done.stdout.splitlines()
    assert "Collecting torch" in lines  # pip says what it does
    assert lines[-4:] == [
        f"mitools is installed in {tmp_path / 'venv'}. Next:",
        f"    . {tmp_path / 'venv'}/bin/activate",
        "    mitools --help",
        "    make quickstart        # needs no key, no network and no download; about 3 minutes",
    ]
    again = make("install", f"PYTHON={python}", folder=tmp_path)
    assert again.stdout.splitlines() == lines[-4:]
    assert len(installed(tmp_path)) == 1


def test_checks_need_more(python: Path, tmp_path: Path) -> None:
    assert make("develop", f"PYTHON={python}", folder=tmp_path).returncode == 0
    assert installed(tmp_path) == [".[gguf]", ".[gguf,dev]"]
    for target in ("test", "test-all", "lint", "format"):
        todo = make("-n", target, f"PYTHON={python}", folder=tmp_path / "other").stdout
        assert "'.[gguf,dev]'" in todo, target
    todo = make("-n", "quickstart", f"PYTHON={python}", folder=tmp_path / "other").stdout
    assert "'.[gguf]'" in todo
    assert ",dev" not in todo


def test_an_installation_that_was_broken_off_is_completed(python: Path, tmp_path: Path) -> None:
    done = make("install", f"PYTHON={python}", folder=tmp_path, STATUS="7")
    assert done.returncode != 0
    assert "Next:" not in done.stdout
    assert make("install", f"PYTHON={python}", folder=tmp_path).returncode == 0
    calls = (tmp_path / "log").read_text().splitlines()
    first, second = (call for call in calls if "--editable" in call)
    assert "--ignore-installed" not in first
    assert "--ignore-installed" in second
    assert not (tmp_path / "venv" / ".partly").exists()


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("3.9 old", "is Python 3.9, and mitools needs 3.11 or newer; name another one: "),
        ("", "was not found; install Python 3.11 or newer, or name it: "),
    ],
)
def test_a_python_that_cannot_be_used_is_one_line(
    python: Path, tmp_path: Path, version: str, message: str
) -> None:
    named = str(python) if version else str(tmp_path / "nowhere")
    done = make("install", f"PYTHON={named}", folder=tmp_path, VERSION=version)
    assert done.returncode == 2
    first = done.stderr.splitlines()[0]
    assert first == f"make: {named} {message}make install PYTHON=python3.12"
    assert not (tmp_path / "venv").exists()
    assert done.stdout == ""


def test_uv_installs_where_it_is_asked_for(python: Path, tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    uv.write_text('#!/bin/sh\necho "uv $*" >> "$LOG"\n')
    uv.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = make("install", f"PYTHON={python}", "INSTALLER=uv", folder=tmp_path, PATH=path)
    assert done.returncode == 0, done.stderr
    calls = (tmp_path / "log").read_text().splitlines()
    venv = tmp_path / "venv"
    assert (
        f"uv pip install --python {venv}/bin/python --compile-bytecode --editable .[gguf]" in calls
    )
    assert not [call for call in calls if call.startswith("-m pip install")]


def test_clean_removes_all_that_the_quickstart_made_and_no_other_run(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("quickstart", "quickstart.work", "svamp"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    for name in ("quickstart.json", "quickstart.jsonl", "svamp.json", "quickstart-2.jsonl"):
        (tmp_path / "runs" / name).touch()
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)
    left = {path.name for path in (tmp_path / "runs").iterdir()}
    assert left == {"svamp", "svamp.json", "quickstart-2.jsonl"}

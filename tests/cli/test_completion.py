"""Shell completion: what is offered where, that bash shows it, and what it costs."""

from __future__ import annotations

import importlib
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from mitools.cli import COMMANDS, mitools
from mitools.cli._completion import SCRATCH_SIZES, SHELLS
from mitools.recipe import list_recipes
from mitools.sources.published import PRESETS

PROGRAM = [sys.executable, "-m", "mitools"]


def offered(*words: str) -> list[str]:
    """Complete the last word; files are given as ``<file>``."""
    items = ShellComplete(mitools, {}, "mitools", "_X").get_completions(list(words[:-1]), words[-1])
    return [item.value if item.type == "plain" else f"<{item.type}>" for item in items]


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("hub/models--org--tiny-t5", "hub/datasets--org--other", "notes", "runs/.hidden"):
        Path(name).mkdir(parents=True)
    for student in ("mine", "runs/first", "runs/second"):
        Path(student).mkdir(parents=True)
        Path(student, "mitools.json").write_text("not read")
    Path("base").mkdir()
    Path("base/config.json").write_text("not read")


def test_commands_are_offered_and_help_before_them() -> None:
    assert offered("") == [*COMMANDS, "help"]
    assert offered("ex") == ["explain", "export"]
    assert offered("help", "an") == ["annotate"]
    assert offered("--v") == ["--version"]
    assert offered("no-such-command", "") == [*COMMANDS, "help"]


def test_options_of_the_command_are_offered() -> None:
    assert offered("annotate", "--tem") == ["--template", "--temperature"]
    assert offered("train", "--mi-poo") == ["--mi-pool"]
    assert offered("train", "--mi", "max") == ["maxpool"]


def test_recipes_and_files_are_offered_for_a_recipe() -> None:
    for option in ("-c", "--config"):
        assert offered("eval", option, "") == [*list_recipes(), "<file>"]
    assert offered("train", "-c", "quick") == ["quickstart", "<file>"]
    assert offered("init", "my", "--from", "tick") == ["tickets"]
    assert offered("load", "") == [*list_recipes(), "demo", "hf:", "<file>"]


@pytest.mark.parametrize("stage", ["load", "init"])
def test_presets_of_published_data_sets_are_offered(stage: str) -> None:
    assert offered(stage, "--preset", "") == list(PRESETS)


@pytest.mark.parametrize("stage", ["eval", "explain"])
def test_folders_that_hold_a_student_are_offered(stage: str) -> None:
    found = ["mine", "runs/first", "runs/second"]
    assert offered(stage, "--student", "") == found
    assert offered(stage, "--student", "runs/s") == ["runs/second"]
    assert offered(stage, "--student", "./mi") == ["./mine"]
    assert offered(stage, "--student", "nowhere/x") == ["<dir>"]


def test_base_models_are_offered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    site = tmp_path / "site"
    for name, files in {
        "small_gguf-1.0": "small/a.gguf,sha256=x,1\n",
        "bert.folder-2.0": "b/m/config.json,,\nb/m/model.safetensors,,\n",
        "none-1.0": "none/config.json,,\n",
    }.items():
        (site / f"{name}.dist-info").mkdir(parents=True)
        (site / f"{name}.dist-info" / "RECORD").write_text(files)
    monkeypatch.setattr("mitools.student.base.packages._search_path", lambda: [str(site)])
    packages = ["package:bert-folder", "package:small-gguf"]
    scratch = ["scratch", *(f"scratch:{size}" for size in SCRATCH_SIZES)]
    folders = ["base", "mine", "runs/first", "runs/second"]
    found = [*scratch, "encoder:", *packages, "org/tiny-t5", *folders]
    assert offered("train", "--student", "") == found
    assert offered("init", "mine", "--student", "") == found
    assert offered("train", "--student", "package:s") == ["package:small-gguf"]
    assert offered("train", "--student", "encoder:") == [
        *(f"encoder:{name}" for name in (*packages, "org/tiny-t5", *folders))
    ]
    for unknown in ("mod", "encoder:notes/x", "package:none"):
        assert offered("train", "--student", unknown) == ["<file>"]


def test_the_sizes_that_are_offered_are_those_of_new_students() -> None:
    from mitools.student.base.scratch import SIZES

    assert tuple(SIZES) == SCRATCH_SIZES


def test_a_word_that_leads_a_file_is_offered_and_then_files() -> None:
    assert offered("annotate", "--teacher", "") == ["openai", "replay", "demo", "replay:"]
    assert offered("annotate", "--teacher", "replay:x") == ["<file>"]
    assert offered("split", "--on-error", "d") == ["divert:"]


def test_an_unfinished_line_that_would_be_refused_is_completed() -> None:
    Path("broken.toml").write_text("[train\n")
    Path("a.jsonl").write_text("")
    assert offered("train", "-c", "broken.toml", "--mi-poo") == ["--mi-pool"]
    assert offered("split", "a.jsonl", "--on-error", "divert:a.jsonl", "--dedu") == ["--dedup"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_that_names_a_place_offers_something(name: str) -> None:
    command = importlib.import_module(f"mitools.cli.{name}").command
    ctx = click.Context(command, info_name=name)
    for param in command.params:
        if isinstance(param.type, click.Path):
            assert param.shell_complete(ctx, ""), param.name


# The scripts


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_each_shell_is_printed(shell: str) -> None:
    done = CliRunner().invoke(mitools, ["completion", shell])
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"_MITOOLS_COMPLETE={shell}_complete" in done.stdout
    assert done.stdout.endswith("\n")


BREAKS = " \t\n\"'><=;|&(:"  # of readline


def complete_in_bash(line: str, *, breaks: str = BREAKS) -> list[str]:
    """Let bash split a line as readline does, and return what the script of mitools replies."""
    script = CliRunner().invoke(mitools, ["completion", "bash"]).stdout
    program = f"""
    mitools() {{ "{sys.executable}" -m mitools "$@"; }}; export -f mitools
    env() {{ (export "${{@:1:3}}"; "${{@:4}}"); }}  # so that the function above is found
    compopt() {{ :; }}  # bash has it only while it completes
    {script}
    COMP_WORDBREAKS=$BREAKS COMP_LINE=$LINE COMP_POINT=${{#LINE}} COMP_CWORD=0 COMP_WORDS=(mitools)
    complete -p mitools
    _mitools_completion mitools
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    env = {**os.environ, "LINE": line, "BREAKS": breaks}
    done = subprocess.run(["bash", "-c", program], env=env, capture_output=True, text=True)
    assert done.stderr == ""
    spec, *replies = done.stdout.splitlines()
    assert spec == "complete -o nosort -F _mitools_completion mitools"
    return [reply for reply in replies if reply]


def test_bash_completes_commands_and_options() -> None:
    assert complete_in_bash("mitools expl") == ["explain"]
    assert complete_in_bash("mitools train --mi-poo") == ["--mi-pool"]
    assert complete_in_bash("mitools train --mi none --labels-f") == ["--labels-from"]


def test_bash_replaces_only_what_stands_behind_a_colon_or_an_equals_sign() -> None:
    assert complete_in_bash("mitools train --student scratch:t") == ["tiny"]
    assert complete_in_bash("mitools train --student=scratch:t") == ["tiny"]
    assert complete_in_bash("mitools train --student=scr")[:2] == ["scratch", "scratch:tiny"]
    assert complete_in_bash("mitools train --student scratch:t", breaks=" ") == ["scratch:tiny"]
    assert complete_in_bash("mitools train --student encoder:org/") == ["org/tiny-t5"]


def test_bash_offers_words_and_files_together() -> None:
    Path("quick notes.toml").write_text("")
    assert complete_in_bash("mitools eval -c quick") == ["quickstart", "quick notes.toml"]
    assert complete_in_bash("mitools eval --student m") == ["mine"]
    assert complete_in_bash("mitools eval --student runs/") == ["runs/first", "runs/second"]


def test_fish_splits_an_item_only_at_its_first_comma() -> None:
    script = CliRunner().invoke(mitools, ["completion", "fish"]).stdout
    assert script.count("string split") == script.count('string split -m 1 "," $completion') == 1


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_shows_names_and_texts_with_commas_whole(tmp_path: Path) -> None:
    script = CliRunner().invoke(mitools, ["completion", "fish"]).stdout
    Path("runs/a,b").mkdir()
    Path("runs/a,b/mitools.json").touch()
    program = tmp_path / "bin" / "mitools"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m mitools "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    for line, found in (
        ("mitools eval --stud", "Without it, the answers in the records are used."),
        ("mitools eval --student runs/a", "runs/a,b"),
    ):
        asked = f"{script}\ncomplete -C '{line}'"
        env = {**os.environ, "PATH": path, "HOME": str(tmp_path)}
        done = subprocess.run(["fish", "-c", asked], env=env, capture_output=True, text=True)
        assert found in done.stdout, done.stderr


def test_completion_is_quick_and_imports_nothing_heavy() -> None:
    line = "mitools train --student package:"
    env = {**os.environ, "_MITOOLS_COMPLETE": "bash_complete", "COMP_LINE": line}

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(PROGRAM, env=env, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(3)) < 0.3
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mitools"],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in imported
    assert not imported & {"torch", "transformers", "datasets", "openai", "rich", "numpy"}

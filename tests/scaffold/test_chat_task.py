"""The task that the answers of a chat log suggest, and the recipe of a chat log."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mitools.errors import UsageError
from mitools.recipe import load_table
from mitools.scaffold.chat_task import chat_task
from mitools.scaffold.column import Column
from mitools.scaffold.make_recipe import make_recipe
from mitools.scaffold.options import InitOptions


def column(*values: str | None) -> Column:
    found = Column("answers")
    for value in values:
        found.add(value)
    return found


def test_labels_numbers_and_texts_are_told_apart() -> None:
    task, labels, reason = chat_task(column(*["billing", "returns"] * 9, "Billing"), None, ())
    assert (task, labels) == ("labels", ("billing", "returns"))
    assert reason == "the answers state 2 labels: billing, returns"
    assert chat_task(column("3", "4", "( 1 + 2 )"), None, ()).task == "equation"
    assert chat_task(column("It is red", "It is blue"), None, ()).task == "text"
    assert chat_task(column(None, None), None, ()).task == "text"


def test_what_is_given_wins() -> None:
    answers = column(*["a", "b"] * 9)
    assert chat_task(answers, "text", ()).task == "text"
    assert chat_task(answers, "labels", ()).labels == ("a", "b")
    assert chat_task(answers, None, ("b", "c"))[:2] == ("labels", ("b", "c"))
    with pytest.raises(UsageError, match="the set of labels cannot be read"):
        chat_task(column("It is red"), "labels", ())


def log(path: Path, answers: list[str], **more: Any) -> Path:
    with path.open("w") as stream:
        for number, answer in enumerate(answers):
            messages = [
                {"role": "user", "content": f"Message {number}?"},
                {"role": "assistant", "content": answer},
            ]
            stream.write(json.dumps({"messages": messages, **more}) + "\n")
    return path


def test_a_recipe_of_a_chat_log_asks_no_teacher(tmp_path: Path) -> None:
    path = log(tmp_path / "log.jsonl", ["It is late. So the answer is delivery.", "billing"] * 10)
    made = make_recipe(InitOptions(folder=tmp_path / "mine", file=str(path)))
    assert "preset = chat: messages (OpenAI)" in made.reasons
    assert "task = labels: the answers state 2 labels: billing, delivery" in made.reasons
    assert made.names_teacher
    table = load_table(tmp_path / "mine" / "recipe.toml", "load")
    assert (table["preset"], table["labels"]) == ("chat", ["billing", "delivery"])
    assert (table["task"], "map" in table) == ("labels", False)
    assert "# The answers are those of the log" in (tmp_path / "mine" / "recipe.toml").read_text()


def test_gold_may_be_named_beside_the_answers(tmp_path: Path) -> None:
    path = log(tmp_path / "log.jsonl", ["billing", "delivery"] * 10, kind="billing")
    options = InitOptions(folder=tmp_path / "mine", file=str(path), fields={"label": "kind"})
    make_recipe(options)
    table = load_table(tmp_path / "mine" / "recipe.toml", "load")
    assert (table["preset"], table["map"]) == ("chat", {"label": "kind"})


def test_the_script_takes_the_answers_of_the_log(tmp_path: Path) -> None:
    path = log(tmp_path / "log.jsonl", ["So 5.", "So 6."] * 4)
    make_recipe(InitOptions(folder=tmp_path / "mine", file=str(path)))
    # A stage that only says what it was called with, in place of mitools.
    fake = tmp_path / "bin" / "mitools"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\necho "$1" >> calls\ncat > /dev/null\n')
    fake.chmod(0o755)
    environment = {"PATH": f"{fake.parent}:/usr/bin:/bin"}
    script = tmp_path / "mine" / "run.sh"

    def run(*args: str) -> tuple[int, set[str]]:
        calls = tmp_path / "calls"
        calls.unlink(missing_ok=True)
        done = subprocess.run(
            [script, *args], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL
        )
        return done.returncode, set(calls.read_text().split()) if calls.exists() else set()

    stages = {"load", "split", "train", "eval", "explain"}
    assert run() == (0, stages)
    assert run("-m", "m") == (0, stages | {"annotate"})
    assert run("--samples", "2") == (2, set())

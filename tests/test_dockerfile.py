"""The Dockerfile, read: what is a layer of its own, and what outlives a container."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    """Give each instruction with its words; comments are left out."""
    lines = [line for line in TEXT.splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    pairs = (line.split(None, 1) for line in joined.splitlines() if line.strip())
    return [(name, " ".join(words.split())) for name, words in pairs]


def environment() -> dict[str, str]:
    return dict(
        word.split("=", 1)
        for name, words in instructions()
        if name == "ENV"
        for word in shlex.split(words)
    )


def examples() -> list[str]:
    comments = "\n".join(line[2:] for line in TEXT.splitlines() if line.startswith("# "))
    joined = comments.replace("\\\n", " ")
    return [line for line in joined.splitlines() if "docker run " in line]


def test_a_change_of_the_source_does_not_install_what_it_depends_on_again() -> None:
    order = instructions()
    runs = [place for place, (name, words) in enumerate(order) if "uv pip install" in words]
    needs, own = runs
    assert "--requirements pyproject.toml" in order[needs][1]
    assert "--extra gguf" in order[needs][1]
    copied = [words for name, words in order[:needs] if name == "COPY"]
    assert copied == ["pyproject.toml ./"]
    assert order[own][1].endswith("--no-deps .")
    after = {words.split()[0] for name, words in order[needs:own] if name == "COPY"}
    assert {"mitools", "recipes", "README.md"} <= after


def test_bytecode_is_compiled_when_the_image_is_made() -> None:
    installs = [words for _, words in instructions() if "uv pip install" in words]
    assert all("--compile-bytecode" in words for words in installs)
    assert all("--no-cache" in words for words in installs)


def test_the_journal_and_the_caches_lie_on_the_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    from mitools.annotate.client.journal import default_place

    volumes = [words for name, words in instructions() if name == "VOLUME"]
    assert volumes == ["/cache"]
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    assert str(default_place("MODEL")).startswith("/cache/")
    assert environment()["HF_HOME"].startswith("/cache/")
    assert environment()["HOME"] == "/cache"


def test_it_runs_as_a_user_who_may_be_anyone() -> None:
    order = instructions()
    users = [words for name, words in order if name == "USER"]
    assert users == ["1000"]
    made = next(words for _, words in order if "install --directory" in words)
    assert made.endswith("--mode=1777 /cache /work")
    assert order.index(("VOLUME", "/cache")) > [words for _, words in order].index(made)
    assert environment()["USER"]  # getpass.getuser() needs it where the user id has no name


def test_every_example_keeps_the_volume_and_writes_as_the_caller() -> None:
    assert len(examples()) == 2
    for example in examples():
        assert re.search(r"-v mitools:/cache\b", example)
        assert '--user "$(id -u):$(id -g)"' in example
        assert '-v "$PWD:/work"' in example
        assert (
            "-e OPENAI_API_KEY" in example
        )  # the key's name: its value is not on the command line

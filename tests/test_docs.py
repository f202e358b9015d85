"""What the documents tell people to type is what the command line takes, and does what they show.

Every ``mitools`` command in a fenced block, in inline code and in the help is parsed by the real
options. A block marked by ``<!-- run -->`` in the line above it is really run, line by line, and
what it prints is compared; ``…`` in the document stands for anything.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from mitools.cli import COMMANDS, mitools
from mitools.recipe import list_recipes

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCUMENTS = [
    README,
    ROOT / "CONTRIBUTING.md",
    ROOT / "mitools" / "FIELDS.md",
    ROOT / "tests" / "benchmarks" / "README.md",
    *sorted(ROOT.glob("recipes/*/README.md")),
]
EVERY_DOCUMENT = pytest.mark.parametrize(
    "path", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS]
)

BLOCK = re.compile(
    r"^(?P<mark><!-- run -->\n+)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
EXAMPLE_MODEL = "MODEL"  # in every example: a vendor's models are shut down sooner or later
ENDS = {"|", "||", "&&", ";", "&", "(", ")"}
REDIRECTIONS = {">", "<", ">>", "2>", ">&"}


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    is_run: bool


def blocks(document: str) -> list[Block]:
    return [
        Block(found["language"], found["text"], found["mark"] is not None)
        for found in BLOCK.finditer(document)
    ]


def shell_lines(text: str) -> list[str]:
    """Join what goes on after a pipe or a backslash."""
    return re.sub(r"\\\n|(?<=\|)\s*\n", " ", text).splitlines()


def simple_commands(line: str) -> Iterator[list[str]]:
    """Give the words of each command in a line of shell, redirections left out."""
    words: list[str] = []
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    tokens = iter(lexer)
    for token in tokens:
        if token in ENDS:
            yield words
            words = []
        elif token in REDIRECTIONS:
            next(tokens, None)
        else:
            words.append(token)
    yield words


def stage_calls(line: str) -> Iterator[list[str]]:
    """Give the arguments of each call of mitools in a line of shell."""
    for words in simple_commands(line):
        if words[:2] == ["docker", "run"] and "mitools" in words:
            words = words[words.index("mitools") :]
        if words[:1] == ["mitools"] and len(words) > 1:
            yield words[1:]


def parse(args: list[str]) -> None:
    """Let the real options parse a call.

    Raises:
        click.ClickException, MitoolsError: it would be refused.
    """
    if args[0].startswith("-"):
        assert args in (["--help"], ["--version"])
        return
    assert args[0] in COMMANDS, f"no command {args[0]}"
    command: click.Command = importlib.import_module(f"mitools.cli.{args[0]}").command
    command.make_context(args[0], list(args[1:]), parent=click.Context(mitools))


def calls_in_blocks(document: str) -> list[list[str]]:
    found = []
    for block in blocks(document):
        if block.language == "console":
            commands = "".join(command for command, _ in steps(block.text))
        else:
            commands = block.text if block.language in ("sh", "bash") else ""
        for line in shell_lines(commands):
            found += list(stage_calls(line))
    return found


def steps(transcript: str) -> Iterator[tuple[str, str]]:
    """Give each command of a transcript and what is printed behind it."""
    for part in re.split(r"^\$ ", transcript, flags=re.MULTILINE)[1:]:
        found = re.match(r"((?:[^\n]*(?:\\|\|)\n)*[^\n]*\n)(.*)", part, re.DOTALL)
        assert found is not None
        yield re.sub(r"^> ", "", found[1], flags=re.MULTILINE), found[2]


def prose(document: str) -> str:
    return BLOCK.sub("", document)


@EVERY_DOCUMENT
def test_every_command_in_a_block_is_one_that_mitools_takes(path: Path) -> None:
    for call in calls_in_blocks(path.read_text(encoding="utf-8")):
        parse(call)


@EVERY_DOCUMENT
def test_every_command_in_the_text_is_one_that_mitools_takes(path: Path) -> None:
    text = prose(path.read_text(encoding="utf-8"))
    for code in re.findall(r"`(mitools [^`]+)`", text):
        for call in stage_calls(code):
            with contextlib.suppress(click.MissingParameter):  # `mitools train` is a name
                parse(call)


@EVERY_DOCUMENT
def test_every_option_in_the_text_is_an_option(path: Path) -> None:
    known = {"--help", "--version"}
    for name in COMMANDS:
        for param in importlib.import_module(f"mitools.cli.{name}").command.params:
            known |= {*param.opts, *param.secondary_opts}
    text = prose(path.read_text(encoding="utf-8"))
    for code in re.findall(r"`(-[^`]+)`", text):
        for option in re.findall(r"(?<![\w-])--?[a-z][\w-]*", code):
            assert option in known, f"{path.name} speaks of {option}"


@EVERY_DOCUMENT
def test_no_document_names_a_model_that_may_be_shut_down(path: Path) -> None:
    named = re.findall(r"(?:annotate|run\.sh)[^\n|]* -m (\S+)", path.read_text(encoding="utf-8"))
    named += re.findall(r"--judge (\w\S*?)`", path.read_text(encoding="utf-8"))
    assert set(named) <= {EXAMPLE_MODEL}


@pytest.mark.parametrize("name", [*COMMANDS, None])
def test_no_help_names_a_model_that_may_be_shut_down(name: str | None) -> None:
    command = mitools if name is None else mitools.get_command(click.Context(mitools), name)
    assert command is not None
    named = re.findall(r"annotate[^\n|]* -m (\S+)|--judge (\w\S*)", str(command.help))
    assert {one or other for one, other in named} <= {EXAMPLE_MODEL}


@EVERY_DOCUMENT
def test_every_link_into_the_project_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_in_the_help_is_one_that_mitools_takes(name: str) -> None:
    command = mitools.get_command(click.Context(mitools), name)
    assert command is not None
    examples = inspect.cleandoc(str(command.help)).partition("\b\n")[2]
    calls = [call for line in shell_lines(examples) for call in stage_calls(line)]
    assert name in {call[0] for call in calls}
    for call in calls:
        parse(call)


def test_the_pipe_in_the_help_is_one_that_mitools_takes() -> None:
    examples = inspect.cleandoc(str(mitools.help)).partition("\b\n")[2]
    calls = [call for line in shell_lines(examples) for call in stage_calls(line)]
    assert [call[0] for call in calls] == list(COMMANDS)[:6]
    for call in calls:
        parse(call)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_path_in_the_text_is_there(name: str) -> None:
    text = prose((ROOT / name).read_text(encoding="utf-8"))
    paths = re.findall(r"`((?:mitools|recipes|tests)/[\w./-]*)`", text)
    assert paths
    for path in paths:
        assert "NAME" in path or (ROOT / path).exists(), path


def test_the_readme_names_every_mi_term() -> None:
    from mitools.train.losses.objective import MI_TERMS

    text = README.read_text(encoding="utf-8")
    assert not [term for term in MI_TERMS if f"`{term}`" not in text]


def test_the_readme_names_every_command_and_recipe() -> None:
    text = README.read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"mitools {name}" in text
    for name in list_recipes():
        assert f"`{name}`" in text


def test_the_readme_is_read_in_minutes_and_contributing_is_one_page() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 220
    assert len(text.split()) < 2000
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) <= 110


def test_every_target_of_make_in_the_readme_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
    named = re.findall(r"(?:^    |`|&& )make ([a-z-]+)", README.read_text(encoding="utf-8"), re.M)
    assert named
    assert set(named) <= set(targets)


# Blocks that are run


def transcripts() -> list[tuple[str, str]]:
    return [
        (f"{path.relative_to(ROOT)}:{number}", block.text)
        for path in DOCUMENTS
        for number, block in enumerate(blocks(path.read_text(encoding="utf-8")), start=1)
        if block.is_run and block.language == "console"
    ]


def as_pattern(expected: str) -> str:
    return re.escape(expected).replace("…", ".*")


def replay(transcript: str, folder: Path) -> None:
    """Run the commands of a transcript and compare what they print, stderr included."""
    shim = folder / ".bin" / "mitools"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mitools "$@"\n')
    shim.chmod(0o755)
    env = {**os.environ, "PATH": f"{shim.parent}:{os.environ['PATH']}"}
    for command, expected in steps(transcript):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert re.fullmatch(as_pattern(expected), done.stdout, re.DOTALL), (
            f"$ {command}prints\n{done.stdout}and not\n{expected}"
        )


@pytest.mark.parametrize(
    "transcript", [text for _, text in transcripts()], ids=[name for name, _ in transcripts()]
)
def test_a_transcript_is_what_happens(transcript: str, tmp_path: Path) -> None:
    replay(transcript, tmp_path)


def scripts() -> list[tuple[str, str]]:
    return [
        (f"{path.relative_to(ROOT)}:{number}", block.text)
        for path in DOCUMENTS
        for number, block in enumerate(blocks(path.read_text(encoding="utf-8")), start=1)
        if block.is_run and block.language == "python"
    ]


def run_script(script: str, folder: Path) -> None:
    """Run a block of Python, and compare what it prints with the comments behind its prints."""
    expected = "".join(f"{line}\n" for line in re.findall(r"^print\(.*\)  # (.*)$", script, re.M))
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(as_pattern(expected), done.stdout, re.DOTALL), done.stdout


@pytest.mark.parametrize("script", [text for _, text in scripts()], ids=[n for n, _ in scripts()])
def test_a_block_of_python_does_what_its_comments_say(script: str, tmp_path: Path) -> None:
    run_script(script, tmp_path)


WITH_EXAMPLES = sorted(
    path for path in (ROOT / "mitools").rglob("*.py") if ">>>" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_examples_in_docstrings_give_what_they_show(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0


# The reading of documents itself

SAMPLE = """\
Text with `mitools split --seed 3`.

```sh
FOO=1                                # a comment
mitools load demo --n 3 |
  mitools split \\
    --test 0.5 > out.jsonl && jq . out.jsonl
docker run -i mitools explain < x
```

<!-- run -->
```console
$ mitools load demo --n 1 -q | mitools split -q |
>   wc -l
1
$ mitools split nowhere
mitools split: cannot read nowhere: …
```
"""


def test_blocks_and_calls_are_found() -> None:
    assert [(block.language, block.is_run) for block in blocks(SAMPLE)] == [
        ("sh", False),
        ("console", True),
    ]
    assert calls_in_blocks(SAMPLE) == [
        ["load", "demo", "--n", "3"],
        ["split", "--test", "0.5"],
        ["explain"],
        ["load", "demo", "--n", "1", "-q"],
        ["split", "-q"],
        ["split", "nowhere"],
    ]
    assert "docker" not in prose(SAMPLE)


def test_a_call_that_would_be_refused_is_noticed() -> None:
    with pytest.raises(click.NoSuchOption):
        parse(["split", "--tset", "1"])
    with pytest.raises(AssertionError):
        parse(["splt"])
    with pytest.raises(click.BadParameter):
        parse(["explain", "--low-conf", "2"])


def test_what_a_script_prints_is_compared(tmp_path: Path) -> None:
    run_script("print(1 + 1)  # 2\nprint([1, 2])  # [1, …]\n", tmp_path)
    with pytest.raises(AssertionError):
        run_script("print(1 + 1)  # 3\n", tmp_path)
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        run_script("1 / 0\n", tmp_path)


def test_a_transcript_is_compared(tmp_path: Path) -> None:
    transcript = blocks(SAMPLE)[1].text
    (tmp_path / "right").mkdir()
    replay(transcript, tmp_path / "right")
    (tmp_path / "wrong").mkdir()
    with pytest.raises(AssertionError, match="prints"):
        replay(transcript.replace("1\n", "2\n", 1), tmp_path / "wrong")

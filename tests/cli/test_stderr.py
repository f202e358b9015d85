"""Nothing that came from somewhere else drives the terminal: one door to stderr, which escapes."""

from __future__ import annotations

import ast
import io
import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mitools.cli import mitools
from mitools.console import Console, guard_stderr

PACKAGE = Path(__file__).parents[2] / "mitools"
ROOT = PACKAGE.parent

ODDITIES = {
    "colour": "\x1b[31m",
    "link": "\x1b]8;;http://evil\x1b\\",
    "title": "\x1b]0;owned\x07",
    "C1": "\x9b31m",
    "bidi": "\u202eevil\u2066",
    "return": "\rmitools: all is well",
    "nul": "\x00",
    "separator": "\u2028",
    "half": "\ud83d",
}
EVERY_ODDITY = pytest.mark.parametrize("odd", ODDITIES.values(), ids=ODDITIES.keys())


def assert_harmless(text: str) -> None:
    left = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - {"\n"}
    assert not left, ascii(text)


def run(*args: str, stdin: str = "") -> str:
    """Run a command and give its stderr."""
    done = CliRunner().invoke(mitools, args, input=stdin.encode())
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.stderr


# The door itself


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", modules(), ids=[str(p.relative_to(PACKAGE)) for p in modules()])
def test_only_the_console_knows_stderr(path: Path) -> None:
    if path.relative_to(PACKAGE).as_posix() == "console.py":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("stderr", "__stderr__", "showwarning"), node.lineno
        if isinstance(node, ast.ImportFrom) and node.module == "sys":
            assert "stderr" not in {alias.name for alias in node.names}
        if isinstance(node, ast.keyword) and node.arg in ("err", "stderr"):
            # A pipe reads what another program writes; it writes nothing itself.
            quiet = ("False", "None", "subprocess.PIPE")
            assert ast.unparse(node.value) in quiet, node.value.lineno


@EVERY_ODDITY
def test_all_that_the_console_says_is_harmless(odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def say(console: Console) -> None:
        for speak in (console.error, console.warn, console.note):
            speak(f"a {odd} b")
        console.table(odd, (odd, f"{odd}2"), [(odd, "1"), ("x\ny", odd)])

    monkeypatch.setattr(sys, "stderr", log := io.StringIO())
    say(Console(odd))
    assert_harmless(log.getvalue())
    assert log.getvalue().count("\n") == 3 + 4


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@EVERY_ODDITY
def test_on_a_terminal_only_our_own_colours_are_left(
    odd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    console = Console("mitools toy")
    console.error(odd)
    console.table(odd, (odd, "n"), [(odd, "1")])
    with console.progress(odd, 3) as update:
        update(1, odd)
    assert odd not in terminal.getvalue()
    assert ascii(odd)[1:5] in terminal.getvalue() or odd == "\x00"


def guarded(text: str) -> str:
    """What a stderr that is guarded lets through."""
    before = sys.stderr
    sys.stderr = log = io.StringIO()
    try:
        guard_stderr()
        guard_stderr()  # twice is once
        sys.stderr.write(text)
        sys.stderr.writelines([text, text])
        Console("toy").note(text)
    finally:
        sys.stderr = before
    return log.getvalue()


@EVERY_ODDITY
def test_what_libraries_write_goes_through_the_door(odd: str) -> None:
    assert_harmless(guarded(f"a {odd} b\n"))
    assert guarded("plain\n") == "plain\n" * 3 + "toy: plain\\n\n"


def test_a_progress_bar_of_a_library_may_begin_its_line_again() -> None:
    assert guarded("\r 50%").startswith("\r 50%")


# From each place that a text can come from


def line(**fields: Any) -> str:
    record = {"id": "a", "input": "1 + 1?", "label": "2", "task": "equation", **fields}
    return json.dumps(record) + "\n"


FROM_DATA: dict[str, Callable[[str], tuple[list[str], str]]] = {
    "id twice": lambda odd: (
        ["eval", "--split", "all"],
        line(id=odd, student={"label": "2"}) * 2,
    ),
    "id without answer": lambda odd: (["eval", "--split", "all"], line(id=odd)),
    "label": lambda odd: (["split", "--stratify", "label"], line(label=odd) * 9),
    "split": lambda odd: (["split"], line(split=odd)),
    "task": lambda odd: (["split"], line(task=odd)),
    "model": lambda odd: (
        ["eval", "--split", "all"],
        line(student={"label": "2", "model": odd}) + line(id="b", student={"label": "2"}),
    ),
    "key": lambda odd: (["load", "--map", "input=none"], json.dumps({odd: 1}) + "\n"),
    "key twice": lambda odd: (["load"], f"{{{json.dumps(odd)}: 1, {json.dumps(odd)}: 2}}\n"),
    "not JSON": lambda odd: (["load"], f'{{"a": {odd}}}\n'),
    "choice": lambda odd: (
        ["load", "--map", "input=input"],
        line(task="choice", choices=[odd, "b"], label="c"),
    ),
    "no answer": lambda odd: (
        ["annotate", "--teacher", "replay", "--on-failure", "fail"],
        line(id=odd, completion=odd),
    ),
}


@EVERY_ODDITY
@pytest.mark.parametrize("name", FROM_DATA)
def test_data_never_reach_the_terminal_as_they_are(name: str, odd: str) -> None:
    args, stdin = FROM_DATA[name](odd)
    for on_error in ("stop", "skip"):
        text = stdin.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        assert_harmless(run(*args, "--on-error", on_error, stdin=text))


TYPED = {name: odd for name, odd in ODDITIES.items() if name != "nul"}  # no argument holds one
TYPED["half"] = "\udc9b31m"  # how Python gives a byte that is not UTF-8


@pytest.mark.parametrize("odd", TYPED.values(), ids=TYPED.keys())
@pytest.mark.parametrize(
    "args",
    [
        ("split", "ODD"),
        ("split", "--ODD"),
        ("ODD",),
        ("split", "--test", "ODD"),
        ("split", "--stratify", "ODD"),
        ("split", "-c", "ODD"),
        ("split", "--on-error", "ODD"),
        ("split", "-o", "no/ODD"),
        ("explain", "--grep", "(ODD"),
        ("load", "--map", "ODD=a"),
        ("load", "hf:ODD"),
        ("schema", "ODD"),
        ("annotate", "--teacher", "replay:ODD"),
    ],
    ids=" ".join,
)
def test_what_was_typed_is_said_harmlessly(args: tuple[str, ...], odd: str) -> None:
    assert_harmless(run(*(word.replace("ODD", odd) for word in args), stdin=line()))


@EVERY_ODDITY
def test_headers_and_file_names_are_said_harmlessly(odd: str, tmp_path: Path) -> None:
    named = odd.replace("\x00", "").replace("/", "").encode("utf-8", "surrogatepass")
    name = os.fsdecode(os.fsencode(tmp_path) + b"/" + named + b".csv")
    Path(name).write_text(
        f"{odd},b\n1,2\n".encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    )
    for args in (("load", name), ("load", name, "--map", "input=c"), ("split", name)):
        assert_harmless(run(*args))


@EVERY_ODDITY
def test_a_recipe_is_answered_harmlessly(odd: str, tmp_path: Path) -> None:
    key = json.dumps(odd) if odd != "\ud83d" else '"x"'
    for text in (f"{key} = 1", f"output = {key}", f"test = {key}", f"stratify = {odd!r}x"):
        path = tmp_path / "mine.toml"
        path.write_text(f"[split]\n{text}\n", encoding="utf-8", errors="replace")
        assert_harmless(run("split", "-c", str(path), stdin=line()))


def test_what_a_library_warns_of_is_escaped_in_a_real_run(tmp_path: Path) -> None:
    script = (
        "import logging, warnings, mitools.split\n"
        "from mitools.cli import main\n"
        "def split(self, records):\n"
        "    warnings.warn('warned \\x1b[31m \\u202e')\n"
        "    logging.getLogger('some.library').error('logged \\x9b31m')\n"
        "    raise ValueError('raised \\x1b[31m')\n"
        "mitools.split.HashSplitter.split = split\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "split", "--debug"],
        input=line(),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 1
    for word in ("warned \\x1b", "logged \\x9b", "raised \\x1b", "Traceback"):
        assert word in done.stderr
    assert_harmless(done.stderr)

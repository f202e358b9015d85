"""The command line of export."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mitools.cli import mitools
from mitools.export.targets.ct2 import CTranslate2Exporter
from mitools.student import save_student
from mitools.student.base.open_base import open_checkpoint
from mitools.student.codec import Codec


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory, tiny_seq2seq: Path) -> Path:
    place = tmp_path_factory.mktemp("cli-export") / "student"
    base = open_checkpoint(str(tiny_seq2seq), "it")
    save_student(place, base.model, Codec(base.tokenizer, "seq2seq", 64, 8, 8), {})
    (place / "README.md").write_text("# mine\n")
    return place


def run(*words: str | Path, stdin: str = "") -> Result:
    return CliRunner().invoke(mitools, ["export", *map(str, words)], input=stdin)


def test_the_hub_gets_nothing_unless_confirmed(student: Path) -> None:
    result = run(student, "--to", "hub", "--repo", "me/mine")
    assert result.exit_code == 0
    assert "  README.md\n" in result.stdout
    assert 'would upload to me/mine (private); add "--yes" to do it' in result.stderr
    public = run(student, "--to", "hub", "--repo", "me/mine", "--public")
    assert "me/mine (public)" in public.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--to", "ct2"], "--to ct2 needs a folder to make; add -o OUT"),
        (["--to", "ct2", "-o", "x", "--yes"], "--yes is for --to hub; leave it out"),
        (["--to", "ct2", "-o", "x", "--converter", "c"], "--converter is for --to gguf, not ct2"),
        (["--to", "hub"], "--to hub needs a repository; add --repo ORG/NAME"),
        (["--to", "hub", "--repo", "a/b", "-o", "x"], "--out is not for --to hub; leave it out"),
        (
            ["--to", "hub", "--repo", "a/b", "--quantize", "int8"],
            "--quantize is not for --to hub; leave it out",
        ),
        (
            ["--to", "hub", "--repo", "a/b", "--check-records", "x"],
            "--check-records is not for --to hub; leave it out",
        ),
        (["--to", "tar"], "'tar' is not one of"),
        ([], "Missing option '--to'. Choose from: ct2, gguf, onnx, hub; see"),
    ],
)
def test_options_that_do_not_fit_are_one_line(
    student: Path, words: list[str], message: str
) -> None:
    result = run(student, *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_what_is_not_a_student_is_one_line(tmp_path: Path) -> None:
    result = run(tmp_path, "--to", "ct2", "-o", tmp_path / "out", stdin='{"input": "x"}\n')
    assert result.exit_code == 1
    assert "is not a student" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "advice"),
    [('{"input": NaN}', 'write null for it, as "jq -c . FILE" does'), ("[" * 200, None)],
)
def test_a_bad_record_names_no_option_that_export_does_not_have(
    student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, advice: str | None
) -> None:
    monkeypatch.setattr(CTranslate2Exporter, "require", lambda *_: None)
    result = run(student, "--to", "ct2", "-o", tmp_path / "out", stdin=line + "\n")
    assert result.exit_code == 1
    assert "<stdin>:1: " in result.stderr
    assert advice is None or result.stderr.endswith(f"; {advice}\n")
    assert "--on-error" not in result.stderr
    assert "--max-" not in result.stderr

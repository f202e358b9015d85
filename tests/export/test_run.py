"""An export is kept only if it answers as the student does."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mitools.errors import EmptyInputError, StudentError, UsageError
from mitools.export import run
from mitools.export.options import ExportOptions
from mitools.export.protocol import Reply
from mitools.export.run import export_student
from mitools.student import load_student, save_student
from mitools.student.base.open_base import open_checkpoint
from mitools.student.codec import Codec
from tests.toys import toy_records


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_seq2seq: Path) -> Path:
    place = tmp_path_factory.mktemp("export") / "student"
    base = open_checkpoint(str(tiny_seq2seq), "it")
    save_student(place, base.model, Codec(base.tokenizer, "seq2seq", 64, 8, 8), {"task": "text"})
    front = "---\nlicense: mit\nlibrary_name: transformers\nbase_model: org/base\n---\n\n# Mine\n"
    (place / "README.md").write_text(front)
    return place


class Copying:
    """An exporter that answers with the student itself, or with something else."""

    title = "Copy"

    def __init__(
        self,
        ending: str = "",
        log_prob: float | None = None,
        token_error: float = 0.0,
        differs_in: Sequence[str] = ("label", "rationale"),
    ) -> None:
        self.ending = ending
        self.differs_in = differs_in
        self.tasks: list[str] = []
        self.log_prob = log_prob
        self.token_error = token_error
        self.asked: list[str] = []

    def require(self, options: ExportOptions, student: Any) -> None:
        pass

    def convert(self, folder: Path, out: Path, options: ExportOptions) -> None:
        assert (folder / "config.json").is_file()
        (out / "weights").write_text("w")

    @contextlib.contextmanager
    def open(self, out: Path, student: Any) -> Iterator[Any]:
        self._student = student
        yield self

    def answer(self, texts: Sequence[str], purpose: str) -> list[Reply]:
        self.tasks.append(purpose)
        self.asked = list(texts)
        student = self._student
        said = (student.generate_labels if purpose == "label" else student.generate_rationales)(
            texts
        )
        ending = self.ending if purpose in self.differs_in else ""
        return [
            Reply(
                one.text + ending,
                one.log_prob if self.log_prob is None else self.log_prob,
                True,
                one.tokens,
            )
            for one in said
        ]

    def usage(self, student: Any, purpose: str) -> str:
        return f"    run it for a {purpose}"


def use(monkeypatch: pytest.MonkeyPatch, exporter: Copying) -> Copying:
    monkeypatch.setattr(run, "_exporter_of", lambda _target: exporter)
    return exporter


def options(out: Path, **changes: Any) -> ExportOptions:
    return ExportOptions(target="ct2", out=out, check_limit=6, **changes)


def test_an_export_that_agrees_is_kept_with_card_and_facts(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    exporter = use(monkeypatch, Copying())
    notes: list[str] = []
    found = export_student(folder, toy_records(), options(tmp_path / "out"), notes.append)
    assert (found.records, found.equal) == (6, 6)
    held_out = [record["input"] for record in toy_records() if record["split"] != "train"]
    assert exporter.asked == held_out[:6]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("weights", "README.md", "export.json")
    }
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\nlicense: mit\nlibrary_name: ctranslate2\nbase_model: org/base\n")
    assert "6 of 6 answers are equal" in card
    assert card.endswith("    run it for a label\n")
    facts = json.loads((tmp_path / "out" / "export.json").read_text())
    assert facts["check"]["equal"] == 6
    assert facts["student"]["task"] == "text"
    assert notes == ["converting for Copy", "records to compare: 6"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("fields", "way"),
    [({"answer": "named"}, "named"), ({"answer_weight": {"value": 0.3, "fitted_on": 99}}, "both")],
)
def test_it_is_said_that_mitools_answers_by_more_than_the_label(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    tmp_path: Path,
    fields: dict[str, Any],
    way: str,
) -> None:
    use(monkeypatch, Copying())
    student = load_student(folder, "cpu")
    save_student(tmp_path / "s", student.model, student.codec, {**student.metadata, **fields})
    notes: list[str] = []
    export_student(tmp_path / "s", toy_records(), options(tmp_path / "out"), notes.append)
    assert notes[2:] == [
        f'mitools answers by "--answer {way}", Copy by the label alone; for the figures of the '
        'export: "mitools eval --answer predict"'
    ]


def test_an_export_replaces_an_earlier_one_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    use(monkeypatch, Copying())
    again = options(tmp_path / "out", overwrite=True)
    export_student(folder, toy_records(), again)
    (tmp_path / "out" / "old").write_text("of the first export")
    export_student(folder, toy_records(), again)
    assert not (tmp_path / "out" / "old").exists()
    before = sorted(path.name for path in folder.iterdir())
    for place in (folder, folder.parent):  # the student, and the folder that holds it
        with pytest.raises(UsageError, match="is not an export"):
            export_student(folder, toy_records(), options(place, overwrite=True))
    assert sorted(path.name for path in folder.iterdir()) == before


def test_an_export_that_differs_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    use(monkeypatch, Copying(" and more"))
    with pytest.raises(StudentError, match="0 of 6 answers are equal"):
        export_student(folder, toy_records(), options(tmp_path / "out"))
    assert not list(tmp_path.iterdir())


@pytest.fixture
def explaining(folder: Path, tmp_path: Path) -> Path:
    """A student that was trained on both tasks."""
    student = load_student(folder, "cpu")
    metadata = {**student.metadata, "trained": ["rationale", "label"]}
    place = tmp_path / "explaining"
    save_student(place, student.model, student.codec, metadata)
    return place


def test_both_tasks_of_a_student_are_compared(
    monkeypatch: pytest.MonkeyPatch, explaining: Path, tmp_path: Path
) -> None:
    exporter = use(monkeypatch, Copying())
    found = export_student(explaining, toy_records(), options(tmp_path / "out"))
    assert exporter.tasks == ["label", "rationale"]
    assert [(one.task, one.equal) for one in (found, *found.also)] == [
        ("label", 6),
        ("rationale", 6),
    ]
    facts = json.loads((tmp_path / "out" / "export.json").read_text())
    assert (facts["check"]["task"], facts["check"]["equal"]) == ("label", 6)
    assert [(one["task"], one["equal"]) for one in facts["check"]["also"]] == [("rationale", 6)]
    card = (tmp_path / "out" / "README.md").read_text()
    assert "6 of 6 answers are equal" in card
    assert "6 of 6 rationales are equal" in card
    assert card.endswith("    run it for a label\n")


def test_an_export_whose_rationales_differ_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, explaining: Path, tmp_path: Path
) -> None:
    """Even one that rounds: each text differs, after few tokens."""
    use(monkeypatch, Copying(" and more", differs_in=["rationale"]))
    rounded = options(tmp_path / "out", quantize="int8")
    with pytest.raises(StudentError, match="0 of 6 rationales are equal") as caught:
        export_student(explaining, toy_records(), rounded)
    assert "--quantize float16" in str(caught.value.hint)
    assert not (tmp_path / "out").exists()


def test_rationales_are_not_decoded_where_labels_already_differ(
    monkeypatch: pytest.MonkeyPatch, explaining: Path, tmp_path: Path
) -> None:
    exporter = use(monkeypatch, Copying(" and more"))
    with pytest.raises(StudentError, match="0 of 6 answers are equal"):
        export_student(explaining, toy_records(), options(tmp_path / "out"))
    assert exporter.tasks == ["label"]


def test_of_one_pass_the_first_text_is_compared(
    monkeypatch: pytest.MonkeyPatch, explaining: Path, tmp_path: Path
) -> None:
    student = load_student(explaining, "cpu")
    codec = dataclasses.replace(student.codec, order="rationale-label")
    metadata = {**student.metadata, "order": "rationale-label"}
    save_student(tmp_path / "one", student.model, codec, metadata)
    exporter = use(monkeypatch, Copying())
    found = export_student(tmp_path / "one", toy_records(), options(tmp_path / "out"))
    assert exporter.tasks == ["rationale"]
    assert (found.task, found.equal, found.also) == ("rationale", 6, ())


def test_a_runtime_may_round_by_its_own_error(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    use(monkeypatch, Copying(log_prob=math.log(0.01)))  # the student's texts are far less probable
    with pytest.raises(StudentError, match="6 of 6 answers are equal, with prob"):
        export_student(folder, toy_records(), options(tmp_path / "out"))
    use(monkeypatch, Copying(log_prob=math.log(0.01), token_error=0.01))
    assert export_student(folder, toy_records(), options(tmp_path / "out")).equal == 6


def test_training_records_fill_up_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    exporter = use(monkeypatch, Copying())
    records = [{"input": "t", "split": "train"}, {"input": "v", "split": "valid"}]
    export_student(folder, records, options(tmp_path / "out"))
    assert exporter.asked == ["v", "t"]


def test_without_records_nothing_is_exported(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    use(monkeypatch, Copying())
    with pytest.raises(EmptyInputError, match="no records to check"):
        export_student(folder, [], options(tmp_path / "out"))
    assert not list(tmp_path.iterdir())


def test_a_student_without_a_card_gets_one(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    import shutil

    use(monkeypatch, Copying())
    shutil.copytree(folder, tmp_path / "bare")
    (tmp_path / "bare" / "README.md").unlink()
    export_student(tmp_path / "bare", toy_records(), options(tmp_path / "out"))
    assert (tmp_path / "out" / "README.md").read_text().startswith("# bare\n")

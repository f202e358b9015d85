"""Dry runs: batches counted on rows whose answer is known, and what they leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitools.train.dry_run import batch_shapes, estimate_training
from mitools.train.options import TrainOptions
from tests.toys import toy_records


def test_shapes_and_padding_are_counted() -> None:
    lengths = [2, 4, 3, 3, 5]
    rows = [
        {
            "label_prompt": [1] * n,
            "label_target": [1],
            "rationale_prompt": [1] * n,
            "rationale_target": [1] * 2,
        }
        for n in lengths
    ]
    prompt, target, *rest = batch_shapes(rows, 2, 1, with_rationales=True)
    assert (prompt.rows, prompt.widest) == (2, 5)
    assert prompt.padding == pytest.approx(1 - 17 / (8 + 6 + 5))
    assert target.padding == 0
    assert [shape.name for shape in rest] == ["rationale_prompt", "rationale_target"]
    assert len(batch_shapes(rows, 2, 1, with_rationales=False)) == 2
    assert batch_shapes([], 2, 1, with_rationales=False)[0].padding == 0


def test_pieces_of_a_sorted_batch_have_less_padding() -> None:
    rows = [{"label_prompt": [1] * n, "label_target": [1]} for n in (2, 4, 3, 3, 5)]
    whole, _ = batch_shapes(rows, 4, 1, with_rationales=False)
    cut, _ = batch_shapes(rows, 2, 2, with_rationales=False)
    assert whole.padding == pytest.approx(1 - 17 / (4 * 4 + 5))
    assert cut.padding == pytest.approx(1 - 17 / (2 * 3 + 2 * 4 + 5))
    assert (cut.rows, cut.widest) == (2, 5)


def test_an_estimate_touches_no_student(tmp_path: Path, tiny_seq2seq: Path) -> None:
    options = TrainOptions(tmp_path / "student", str(tiny_seq2seq), max_steps=7, overwrite=True)
    options.save.mkdir()
    (options.save / "mine.txt").write_text("years of work")
    notes: list[str] = []
    rows = dict(estimate_training(toy_records(), options, notes.append))
    assert rows["steps"] == "7"
    assert notes == ["16 training and 8 validation records, 0 not used"]
    assert [path.name for path in tmp_path.iterdir()] == ["student"]
    assert [path.name for path in options.save.iterdir()] == ["mine.txt"]


def test_answers_of_a_student_are_counted_and_left_out(tmp_path: Path, tiny_seq2seq: Path) -> None:
    records = toy_records()
    for record in records[:4]:
        record["teacher"]["by"] = "student"
    for chosen, said in (
        ("skip", '3 training records with an answer of a student, which is left out ("--student-'),
        ("use", "3 training records with an answer of a student in the teacher's place"),
    ):
        notes: list[str] = []
        options = TrainOptions(
            save=tmp_path / chosen,
            student=str(tiny_seq2seq),
            max_steps=2,
            student_answers=chosen,  # type: ignore[arg-type]
        )
        dict(estimate_training(records, options, notes.append))
        assert any(note.startswith(said) for note in notes), notes
        without = [note for note in notes if note.endswith("without a rationale")]
        assert without == (["3 training records without a rationale"] if chosen == "skip" else [])

"""Dry runs: batches counted on rows whose answer is known, and what they leave alone."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer, BertConfig, BertModel

from mitools.train import dry_run
from mitools.train.dry_run import Shape, _activations, batch_shapes, estimate_training
from mitools.train.options import TrainOptions
from mitools.train.prepare import prepare
from mitools.train.training_run import TrainingRun, no_note
from tests.toys import toy_records


def test_shapes_and_padding_are_counted() -> None:
    prompts, targets = np.array([2, 4, 3, 3, 5]), np.array([1, 1, 1, 1, 1])
    lengths = {"label_prompt": prompts, "label_target": targets, "rationale_prompt": 0 * targets}
    prompt, target = batch_shapes(lengths, range(5), 2)
    assert (prompt.name, prompt.rows, prompt.widest) == ("label_prompt", 2, 5)
    assert prompt.padding == pytest.approx(1 - 17 / (8 + 6 + 5))
    assert (target.name, target.padding) == ("label_target", 0)
    assert batch_shapes(lengths, [], 2)[0].padding == 0
    assert batch_shapes({"label_prompt": np.array([], dtype=int)}, [], 2)[0].widest == 0


def test_the_widest_batch_is_that_of_all_records() -> None:
    (prompt,) = batch_shapes({"label_prompt": np.array([2, 4, 9])}, [1, 0], 2)
    assert prompt.widest == 9
    assert prompt.padding == pytest.approx(1 - 6 / 8)


def lines(tmp_path: Path, student: Path, records: list[dict[str, Any]]) -> dict[str, str]:
    chosen = TrainOptions(
        tmp_path / "student", str(student), batch_size=4, micro_batch_size=2, precision="fp32"
    )
    return dict(estimate_training(records, chosen))


def test_the_order_of_the_file_does_not_change_what_is_estimated(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    records = [{**record, "split": "train"} for record in toy_records(900)]
    for record in records[-20:]:
        record["input"] *= 6
    found = lines(tmp_path, tiny_seq2seq, records)
    turned = lines(tmp_path, tiny_seq2seq, records[::-1])
    for name, value in found.items():  # the share of padding is that of some batches
        assert turned[name].split("],")[0] == value.split("],")[0]
    shares = [int(re.findall(r"(\d+)%", one["label prompt"])[0]) for one in (found, turned)]
    assert abs(shares[0] - shares[1]) <= 3


def test_padding_is_that_of_batches_whose_pieces_are_sorted(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    records = [{**record, "split": "train"} for record in toy_records(40)]
    for record in records[::2]:
        record["input"] *= 3
    whole = TrainOptions(tmp_path / "s", str(tiny_seq2seq), batch_size=20, micro_batch_size=20)
    cut = replace(whole, micro_batch_size=5)
    shares = [
        int(re.findall(r"(\d+)%", dict(estimate_training(records, one))["label prompt"])[0])
        for one in (whole, cut)
    ]
    assert shares[1] < shares[0] / 2


def test_memory_has_the_scores_of_all_words_that_the_papers_term_keeps(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    plain = TrainOptions(tmp_path / "s", str(tiny_seq2seq), batch_size=16)
    sizes = []
    for one in (plain, replace(plain, mi="paper")):
        run = prepare(toy_records(), replace(one, save=tmp_path / one.mi), no_note)
        assert isinstance(run, TrainingRun)
        shapes = [Shape("label_target", 16, 5, 0), Shape("rationale_target", 16, 40, 0)]
        sizes.append(_activations(run.model, shapes))
    words = run.model.head.weight.shape[0]
    assert sizes[1] == (sizes[0] or 0) + 4 * 16 * (5 + 2 * 40) * words


@pytest.mark.parametrize(
    ("changes", "grows"),
    [
        ({"mi": "conclude", "mi_hide_input": True}, "activations of a forward pass, about"),
        ({"mi": "conclude", "mi_mask_label": 0.5}, "activations of a forward pass, about"),
        ({"mi": "conclude", "beta": 0.5, "mi_control": "mixed"}, "activations of a forward pass"),
        ({"mi": "conclude", "beta": 0.5, "mi_control": "past"}, "weights, gradients"),
        ({"mi": "infonce", "wrong_rationales": True}, "activations of a forward pass, about"),
    ],
)
def test_memory_has_the_passes_and_weights_that_a_term_adds(
    tmp_path: Path, tiny_causal: Path, changes: dict[str, Any], grows: str
) -> None:
    found = []
    for given in ({"mi": changes["mi"]}, changes):
        chosen = TrainOptions(tmp_path / "s", str(tiny_causal), batch_size=4, **given)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(dry_run, "_gigabytes", lambda size: f"{int(size)}")
            found.append(dict(estimate_training(toy_records(), chosen)))
    before, after = found
    for name in before:
        if name.startswith(("activations", "weights,")):
            is_more = int(after[name]) > int(before[name])
            assert is_more is name.startswith(grows), name


def test_memory_of_a_warm_started_encoder_is_estimated(tmp_path: Path, tiny_seq2seq: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_seq2seq)
    size = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
    encoder = BertModel(BertConfig(vocab_size=len(tokenizer), **size))
    for part in (tokenizer, encoder):
        part.save_pretrained(tmp_path / "bert")
    options = TrainOptions(tmp_path / "s", f"encoder:{tmp_path / 'bert'}", batch_size=4)
    assert "activations of a forward pass, about" in dict(estimate_training(toy_records(), options))


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

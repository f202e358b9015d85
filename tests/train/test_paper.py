"""The preset of the paper: its options one by one, and a whole run beside a plain reference."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from mitools.errors import UsageError
from mitools.train.choices import PRESETS
from mitools.train.example import example_of
from mitools.train.losses.objective import Objective
from mitools.train.options import TrainOptions
from mitools.train.prepare import prepare
from mitools.train.training_run import TrainingRun
from tests.toys import toy_records
from tests.train.runs import finish, is_same, options, weights

ROW = dict[str, Any]


def unreadable(record: ROW) -> ROW:
    """Make a record whose teacher was asked, and could not be read."""
    return {**record, "teacher": {"label": None, "rationale": None}}


def prepared(chosen: TrainOptions, records: list[ROW], notes: list[str]) -> TrainingRun:
    run = prepare(iter(records), chosen, notes.append)
    assert isinstance(run, TrainingRun)
    return run


def targets(chosen: TrainOptions, records: list[ROW], purpose: str) -> tuple[list[Any], list[str]]:
    """Return the targets that a run would train, and what it notes."""
    notes: list[str] = []
    run = prepared(chosen, records, notes)
    found = list(run.data.train[f"{purpose}_target"])
    run.clean()
    return found, notes


def results_of(chosen: TrainOptions) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((chosen.save / "mitools.json").read_text())["results"]
    return found


# One option at a time


def test_an_unreadable_reply_is_trained_as_an_empty_rationale_if_asked(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    records = toy_records()
    records[0], records[3] = unreadable(records[0]), unreadable(records[3])
    skipped, notes = targets(options(tmp_path, tiny_seq2seq), records, "rationale")
    assert skipped.count([]) == 2
    assert "2 training records without a rationale" in notes
    chosen = options(tmp_path, tiny_seq2seq, unreadable_rationales="blank")
    found, notes = targets(chosen, records, "rationale")
    tokenizer = AutoTokenizer.from_pretrained(tiny_seq2seq)
    assert [place for place, row in enumerate(found) if row == tokenizer(" ")["input_ids"]] == [
        0,
        2,
    ]
    assert [row for place, row in enumerate(found) if place not in (0, 2)] == [
        row for row in skipped if row
    ]
    assert "2 training records with an empty rationale, as the teacher gave none" in notes
    assert "2 training records without a rationale" not in notes


def test_only_a_teacher_that_was_asked_has_an_unreadable_reply() -> None:
    blank = {"save": Path("x"), "unreadable_rationales": "blank"}
    record = toy_records()[0]
    asked, never = unreadable(record), {**record, "teacher": None}
    assert example_of(asked, TrainOptions(**blank)).rationale == " "
    assert example_of(never, TrainOptions(**blank)).rationale is None
    assert example_of(asked, TrainOptions(**blank, rationales_from="human")).rationale is None
    explained = {**asked, "rationale": "by hand"}
    assert example_of(explained, TrainOptions(**blank)).rationale == "by hand"
    teachers = TrainOptions(**blank, rationales_from="teacher")
    assert example_of(explained, teachers).rationale == " "
    assert example_of(asked, TrainOptions(**blank, alpha=1.0)).rationale is None


@pytest.mark.parametrize("purpose", ["label", "rationale"])
def test_a_cut_target_ends_with_an_end_token_if_asked(
    tmp_path: Path, tiny_seq2seq: Path, purpose: str
) -> None:
    limits = {"max_label_tokens": 4, "max_rationale_tokens": 4}
    plain, _ = targets(options(tmp_path, tiny_seq2seq, **limits), toy_records(), purpose)
    wanted = options(tmp_path, tiny_seq2seq, cut_targets="ended", **limits)
    ended, _ = targets(wanted, toy_records(), purpose)
    whole, _ = targets(options(tmp_path, tiny_seq2seq), toy_records(), purpose)
    end_id = whole[0][-1]
    assert {len(row) for row in plain} == {4}
    assert not [row for row in plain if end_id in row]
    assert ended == [[*row[:3], end_id] for row in plain]
    wide = options(tmp_path, tiny_seq2seq, cut_targets="ended")
    assert targets(wide, toy_records(), purpose)[0] == whole


def test_a_cut_target_to_draw_from_ends_in_the_same_way(tmp_path: Path, tiny_seq2seq: Path) -> None:
    records = toy_records()
    texts = ["it is five and one more", "it is one more than five"]
    samples = [{"label": "(5 + 1)", "rationale": text} for text in texts]
    records[0] = {**records[0], "teacher": {**records[0]["teacher"], "samples": samples}}
    for ending, count in (("open", 0), ("ended", 3)):
        limits = {"max_rationale_tokens": 4, "cut_targets": ending, "rationales": "sample"}
        run = prepared(options(tmp_path, tiny_seq2seq, **limits), records, [])
        ids = run.data.train[0]["rationales"]
        assert [row[-1] for row in ids].count(run.codec.tokenizer.eos_token_id) == count
        run.clean()


def test_the_last_model_is_saved_whatever_was_best(
    tmp_path: Path, tiny_seq2seq: Path, whole: TrainOptions
) -> None:
    """A learning rate that is far too high makes every step worse than the first ones."""
    bad = {"learning_rate": 3.0, "max_steps": 4, "schedule": "constant"}
    best = options(tmp_path / "best", tiny_seq2seq, **bad)
    last = options(tmp_path / "last", tiny_seq2seq, select_by="last", **bad)
    alone = options(tmp_path / "alone", tiny_seq2seq, select_by="last", **{**bad, "eval_every": 4})
    for chosen in (best, last, alone):
        finish(chosen)
    assert results_of(best)["best_step"] == 2
    assert results_of(last)["best_step"] is None
    assert not is_same(weights(best), weights(last))
    assert is_same(weights(last), weights(alone))
    lines = [json.loads(line) for line in (last.save / "log.jsonl").read_text().splitlines()]
    measured = {
        line["step"]: line["eval_label_loss"] for line in lines if "eval_label_loss" in line
    }
    assert results_of(last)["valid_label_loss"] == measured[4] > measured[2]


def test_the_figures_of_the_last_model_are_its_own(tmp_path: Path, tiny_seq2seq: Path) -> None:
    """Also where the number of steps is not a multiple of ``eval_every``."""
    chosen = options(tmp_path, tiny_seq2seq, select_by="last", max_steps=3)
    finish(chosen)
    lines = [json.loads(line) for line in (chosen.save / "log.jsonl").read_text().splitlines()]
    measured = {
        line["step"]: line["eval_label_loss"] for line in lines if "eval_label_loss" in line
    }
    assert list(measured) == [2, 3]
    assert results_of(chosen)["valid_label_loss"] == measured[3] != measured[2]


def with_test_split() -> list[ROW]:
    records = toy_records()
    return [
        {**record, "split": "test"} if i % 9 == 2 else record for i, record in enumerate(records)
    ]


def test_the_test_split_is_measured_only_if_asked_and_selects_nothing(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    weights_by_split = {}
    for split, count in (("valid", 5), ("test", 3)):
        notes: list[str] = []
        chosen = options(tmp_path / split, tiny_seq2seq, select_by="last", eval_on=split)
        run = prepared(chosen, with_test_split(), notes)
        assert run.data.valid is not None
        assert {json.loads(x)["id"] for x in run.data.valid["record"]} == {
            record["id"] for record in with_test_split() if record["split"] == split
        }
        run.execute()
        run.clean()
        kind = {"valid": "validation", "test": "test"}[split]
        assert notes[0] == f"16 training and {count} {kind} records, {8 - count} not used"
        names = {name.split("_")[0] for name in results_of(chosen) if name.endswith("_label_loss")}
        assert names == {split}
        card = (chosen.save / "README.md").read_text()
        assert f"| {kind} | accuracy " in card
        weights_by_split[split] = weights(chosen)
    assert is_same(weights_by_split["valid"], weights_by_split["test"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"eval_on": "test"}, "--select-by accuracy must not read the test split"),
        ({"eval_on": "test", "select_by": "label-loss"}, "--select-by label-loss must not"),
        ({"select_by": "last", "patience": 3}, "--patience needs a metric"),
    ],
)
def test_nothing_is_selected_by_the_test_split_or_by_no_metric(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        TrainOptions(Path("x"), **changes).check()
    TrainOptions(Path("x"), select_by="last", eval_on="test").check()


# The preset as a whole


def test_the_preset_trains_the_published_objective_in_float32() -> None:
    chosen = TrainOptions.from_preset("paper", save=Path("x"))
    chosen.check()
    assert chosen.objective == Objective(mi="paper", alpha=0.5, beta=0.1)
    assert (chosen.precision, chosen.max_steps, chosen.batch_size) == ("fp32", 10_000, 64)
    assert (chosen.select_by, chosen.eval_on, chosen.eval_every) == ("last", "test", 250)


@pytest.mark.parametrize("name", PRESETS["paper"])
def test_every_value_of_the_preset_can_be_overridden(name: str) -> None:
    other: dict[str, Any] = {
        "mi": "none",
        "cut_targets": "open",
        "rationales_from": "auto",
        "unreadable_rationales": "skip",
        "precision": "bf16",
        "select_by": "accuracy",
        "eval_on": "valid",
        "alpha": 0.25,
    }
    value = other.get(name, 100)
    chosen = TrainOptions.from_preset("paper", save=Path("x"), **{name: value})
    kept = {key: kept for key, kept in PRESETS["paper"].items() if key != name}
    assert getattr(chosen, name) == value
    assert {key: getattr(chosen, key) for key in kept} == kept


@pytest.fixture(scope="module")
def student(tiny_seq2seq: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny T5 without dropout, so that two ways of training it can agree."""
    folder = tmp_path_factory.mktemp("student")
    model = AutoModelForSeq2SeqLM.from_pretrained(tiny_seq2seq, dropout_rate=0.0)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_seq2seq).save_pretrained(folder)
    return folder


def padded(rows: list[list[int]], filler: int) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([[*row, *[filler] * (width - len(row))] for row in rows])


def reference(folder: Path, records: list[ROW], steps: int, limit: int) -> dict[str, Tensor]:
    """Train with the tokenizer, the loss and the optimizer of plain libraries, all in one batch.

    Two passes with the mean loss of each, the published term over all positions, gradients clipped
    at 1, AdamW at 5e-5 falling to 0.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder).train()

    def task(prefix: str, texts: list[str]) -> dict[str, Tensor]:
        asked = [prefix + record["input"] for record in records]
        prompts = tokenizer(asked, padding=True, return_tensors="pt")
        labels = tokenizer(texts, max_length=limit, truncation=True)["input_ids"]
        return {
            "input_ids": prompts["input_ids"],
            "attention_mask": prompts["attention_mask"],
            "labels": padded(labels, -100),
        }

    told = [record["teacher"]["rationale"] or " " for record in records]
    predict = task("predict: ", [record["label"] for record in records])
    explain = task("explain: ", told)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, weight_decay=0.0)
    for step in range(steps):
        answered, explained = model(**predict), model(**explain)
        answer = answered.logits.detach().softmax(-1).max(1).values
        term = torch.nn.functional.cross_entropy(explained.logits.softmax(-1).max(1).values, answer)
        loss = 0.5 * answered.loss + 0.5 * explained.loss + 0.1 * term
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = 5e-5 * (1 - step / steps)
        optimizer.step()
    return {name: value.detach() for name, value in model.state_dict().items()}


def test_a_run_of_the_preset_ends_where_the_published_procedure_does(
    tmp_path: Path, student: Path
) -> None:
    steps, limit = 4, 8  # cuts most rationales
    records = [record for record in toy_records() if record["split"] == "train"]
    records[3] = unreadable(records[3])
    chosen = TrainOptions.from_preset(
        "paper",
        save=tmp_path / "student",
        student=str(student),
        max_steps=steps,
        max_label_tokens=limit,
        max_rationale_tokens=limit,
    )
    run = prepared(chosen, records, [])
    assert sum(len(row) == limit for row in run.data.train["rationale_target"]) > 4
    run.execute()
    run.clean()
    theirs, ours = (
        reference(student, records, steps, limit),
        load_file(chosen.save / "model.safetensors"),
    )
    start = load_file(student / "model.safetensors")
    moved = max(float((start[name] - ours[name]).abs().max()) for name in ours)
    apart = max(float((theirs[name] - ours[name]).abs().max()) for name in ours)
    assert moved > 1e-4
    assert apart < moved / 100
    lines = [json.loads(line) for line in (chosen.save / "log.jsonl").read_text().splitlines()]
    assert all(math.isfinite(line["mi_loss"]) for line in lines if "mi_loss" in line)


@pytest.mark.parametrize(
    "change",
    [
        {"mi": "maxpool"},
        {"cut_targets": "open"},
        {"unreadable_rationales": "skip"},
        {"alpha": 0.6},
    ],
)
def test_without_one_of_its_options_a_run_ends_elsewhere(
    tmp_path: Path, student: Path, change: dict[str, Any]
) -> None:
    records = [record for record in toy_records() if record["split"] == "train"]
    records[3] = unreadable(records[3])
    short = {"student": str(student), "max_steps": 4, "max_rationale_tokens": 8}
    chosen = TrainOptions.from_preset("paper", save=tmp_path / "s", **{**short, **change})
    run = prepared(chosen, records, [])
    run.execute()
    run.clean()
    theirs, ours = reference(student, records, 4, 8), load_file(chosen.save / "model.safetensors")
    start = load_file(student / "model.safetensors")
    moved = max(float((start[name] - ours[name]).abs().max()) for name in ours)
    apart = max(float((theirs[name] - ours[name]).abs().max()) for name in ours)
    assert apart > moved / 100

"""The term ``name``: which tokens decide, what the term adds to the loss, and whole runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from mitools.errors import DataError, UsageError
from mitools.student.codec import Codec
from mitools.student.forward import target_logits
from mitools.train.collate import TwoTaskCollator
from mitools.train.naming import NO_NAMING, find_naming, naming_tensors
from mitools.train.options import TrainOptions
from mitools.train.prepare import prepare
from mitools.train.two_task_model import TwoTaskModel
from mitools.train.validate import partners, with_rationales_of
from tests.train.models import (
    check_close,
    check_equal,
    check_padding,
    check_pieces,
    losses_and_gradient,
    model_without_dropout,
    tokenized,
)

Kinds = pytest.mark.parametrize("kind", ["tiny_seq2seq", "tiny_causal"])
Forms = pytest.mark.parametrize("fused", [True, False], ids=["fused", "plain"])
CHOICES = ["pears", "has", "gets", "many", "and"]
"""Words that differ in their first token."""


def records(n: int = 6) -> list[dict[str, Any]]:
    """Questions with choices; the first rationale names a wrong one, and the last names none."""
    found: list[dict[str, Any]] = []
    for i in range(n):
        label = CHOICES[i % 4]
        named = CHOICES[1] if i == 0 else label
        told = f"Ann {'and Ann ' * (i % 3)}gets it. So the answer is {named}."
        found.append(
            {
                "id": f"r{i}",
                "input": f"Ann has {i} pears. How many?",
                "label": label,
                "choices": CHOICES if i % 2 else CHOICES[:4],
                "task": "choice",
                "teacher": {"label": named, "rationale": told if i < n - 1 else "How?"},
                "split": "train" if i % 3 < 2 else "valid",
            }
        )
    return found


def make(request: pytest.FixtureRequest, kind: str, **rest: Any) -> TwoTaskModel:
    """A student with the term."""
    wanted = {"mi": "name", "beta": 0.5, "max_rationale_tokens": 64, **rest}
    return model_without_dropout(request, kind, **wanted)


def rows_of(codec: Codec, read: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    read = records() if read is None else read
    rows = [tokenized(codec, one, one["teacher"]["rationale"]) for one in read]
    learned = [(one["label"], one["teacher"]["rationale"]) for one in read]
    for row, fields in zip(rows, find_naming(codec, read, learned, rows), strict=True):
        row |= fields
    return rows


def batch_of(codec: Codec, rows: list[dict[str, Any]]) -> dict[str, Any]:
    batch = TwoTaskCollator(codec, True, names=True)(rows)
    del batch["ids"]
    return batch


# Which tokens decide


@Kinds
def test_the_tokens_stand_where_the_rationale_names_a_choice(
    request: pytest.FixtureRequest, kind: str
) -> None:
    codec = make(request, kind).codec
    rows = rows_of(codec)
    assert rows[-1] | NO_NAMING == rows[-1]
    for record, row in zip(records()[:-1], rows[:-1], strict=True):
        named = CHOICES.index(record["teacher"]["label"])
        gold = CHOICES.index(record["label"])
        assert row["name_gold"] == gold
        assert row["rationale_target"][row["name_place"]] == row["name_ids"][named]
        assert row["label_target"][row["name_label_place"]] == row["name_label_ids"][gold]
        before = codec.decode(row["rationale_target"][: row["name_place"]])
        assert before.rstrip().endswith("answer is")


@pytest.mark.parametrize(
    "changes",
    [
        {"label": "Ann"},
        {
            "label": "pears",
            "choices": ["pears", "pears has"],
            "teacher": {"label": "pears", "rationale": "So the answer is pears."},
        },
        {"choices": None},
        {"teacher": {"label": "has", "rationale": "It has many."}},
        {"teacher": {"label": "has", "rationale": "So " * 80 + "the answer is has."}},
    ],
    ids=["no-choice", "same-first-token", "no-choices", "two-named", "cut-before"],
)
def test_a_record_without_one_deciding_token_has_no_term(
    tiny_causal: Path, request: pytest.FixtureRequest, changes: dict[str, Any]
) -> None:
    codec = make(request, "tiny_causal").codec
    plain = {"id": "x", "input": "Ann?", "label": "has", "task": "choice", "choices": CHOICES}
    plain["teacher"] = {"label": "has", "rationale": "So the answer is has."}
    (row,) = rows_of(codec, [plain])
    assert row["name_place"] > 0
    (row,) = rows_of(codec, [{**plain, **changes}])
    assert row | NO_NAMING == row


def test_a_batch_without_the_term_has_tensors_of_one_column() -> None:
    label, rationale = naming_tensors([dict(NO_NAMING), dict(NO_NAMING)])
    assert label["name_ids"].tolist() == rationale["name_ids"].tolist() == [[-1], [-1]]
    assert label["name_gold"].dtype == torch.int64


# What it adds to the loss


@Kinds
@Forms
@pytest.mark.parametrize("position", ["before", "after"])
def test_the_term_equals_its_definition_a_record_at_a_time(
    request: pytest.FixtureRequest, kind: str, fused: bool, position: str
) -> None:
    if position == "after" and kind == "tiny_seq2seq":
        pytest.skip("an encoder reads all at once")
    model = make(request, kind, fused=fused, prefix_position=position)
    assert model.is_fused is fused
    codec, rows = model.codec, rows_of(model.codec)
    loss, divergence, told = 0.0, 0.0, []
    for row in rows:
        if row["name_place"] < 0:
            told.append(0.0)
            continue
        with torch.no_grad():
            answer, explanation = (
                target_logits(
                    model.student,
                    codec.kind,
                    codec.pad([row[f"{purpose}_prompt"]], [row[f"{purpose}_target"]]),
                )[0]
                for purpose in ("label", "rationale")
            )
        log_p = answer[row["name_label_place"], row["name_label_ids"]].log_softmax(-1)
        log_q = explanation[row["name_place"], row["name_ids"]].log_softmax(-1)
        is_named = explanation[row["name_place"]].softmax(-1)[row["name_ids"]].sum()
        loss -= (log_q[row["name_gold"]] + 0.1 * is_named.log()).item()
        told.append((log_q - log_p)[row["name_gold"]].item())
        if told[-1] > 0:
            divergence += (log_q.exp() * (log_q - log_p)).sum().item()
    assert any(value > 0 for value in told)
    assert any(value < 0 for value in told)
    outputs = model(**batch_of(codec, rows), wants_words=True)
    assert outputs["naming_loss"].item() == pytest.approx(loss / len(rows), rel=1e-4)
    assert outputs["mi_loss"].item() == pytest.approx(divergence / len(rows), rel=1e-3)
    assert outputs["information"].tolist() == pytest.approx(told, abs=1e-4)
    assert outputs["is_pair"].tolist() == [row["name_place"] >= 0 for row in rows]
    parts = {"label_loss": 0.5, "rationale_loss": 0.5, "naming_loss": 0.5, "mi_loss": 0.5}
    total = sum(weight * outputs[name].item() for name, weight in parts.items())
    assert outputs["loss"].item() == pytest.approx(total, rel=1e-5)


@Kinds
def test_without_weights_it_is_the_loss_without_a_term_bit_for_bit(
    request: pytest.FixtureRequest, kind: str
) -> None:
    found = []
    for changes in ({"gamma": 0.0, "beta": 0.0}, {"mi": "none"}):
        model = make(request, kind, **changes)
        found.append(losses_and_gradient(model, batch_of(model.codec, rows_of(model.codec))))
    check_equal(*found)


@Kinds
def test_fused_and_plain_form_agree(request: pytest.FixtureRequest, kind: str) -> None:
    found = []
    for fused in (True, False):
        model = make(request, kind, fused=fused).train()
        found.append(losses_and_gradient(model, batch_of(model.codec, rows_of(model.codec))))
    assert found[0][0]["mi_loss"] > 0
    check_close(*found)


@Kinds
def test_distillation_moves_the_label_and_not_the_rationale(
    request: pytest.FixtureRequest, kind: str
) -> None:
    model = make(request, kind)
    batch = batch_of(model.codec, rows_of(model.codec))
    seen = model.passes.run(batch["label"], batch["rationale"])
    for one in seen:
        one.states.retain_grad()
    naming = model._naming(seen, batch["label"], batch["rationale"])
    naming.divergences.sum().backward(retain_graph=True)
    assert seen[0].states.grad.abs().sum() > 0
    assert seen[1].states.grad is None or not seen[1].states.grad.any()
    seen[0].states.grad = None
    naming.losses.sum().backward()
    assert seen[0].states.grad is None or not seen[0].states.grad.any()
    assert seen[1].states.grad.abs().sum() > 0


@Kinds
def test_pieces_have_the_gradient_of_the_whole(request: pytest.FixtureRequest, kind: str) -> None:
    model = make(request, kind)
    rows = rows_of(model.codec)
    rows[2] |= {"rationale_target": []}
    for index, row in enumerate(rows):
        row["rationale_weight"] = 1 / (1 + index)
    pieces = [batch_of(model.codec, part) for part in (rows[:1], rows[1:3], rows[3:])]
    check_pieces(model, batch_of(model.codec, rows), pieces)


@Kinds
def test_a_rationale_of_weight_zero_has_no_part_in_the_term(
    request: pytest.FixtureRequest, kind: str
) -> None:
    model = make(request, kind)
    rows = rows_of(model.codec)
    rows[1]["rationale_weight"] = 0.0
    without = [rows[0], *rows[2:]]
    found, expected = (model(**batch_of(model.codec, part)) for part in (rows, without))
    for name in ("naming_loss", "mi_loss"):
        assert found[name].item() == pytest.approx(expected[name].item(), rel=1e-4)


@Kinds
def test_padding_changes_nothing(request: pytest.FixtureRequest, kind: str) -> None:
    model = make(request, kind)
    batch = batch_of(model.codec, rows_of(model.codec))
    wide = {name: {**task} for name, task in batch.items()}
    for task in wide.values():
        task["name_ids"] = torch.nn.functional.pad(task["name_ids"], (0, 2), value=-1)
    check_padding(model, batch, wide)


@Kinds
def test_another_records_rationale_is_read_up_to_its_own_place(
    request: pytest.FixtureRequest, kind: str
) -> None:
    model = make(request, kind)
    rows = rows_of(model.codec)
    strange = with_rationales_of(rows, rows, range(len(rows)), partners(rows, 0))
    places = {row["id"]: row["name_place"] for row in rows}
    told = {tuple(row["rationale_target"]): row["id"] for row in rows}
    for row, own in zip(strange, rows, strict=True):
        assert row["name_place"] == places[told[tuple(row["rationale_target"])]]
        assert row["name_ids"] == own["name_ids"]
    found = model(**batch_of(model.codec, strange), wants_words=True)["is_pair"]
    # The last record has no choices to compare, and one record has its rationale.
    assert found.sum() == len(rows) - 2


# Whole runs


def options(tmp_path: Path, student: Path, **rest: Any) -> TrainOptions:
    wanted = {"mi": "name", "max_steps": 2, "eval_every": 1, "batch_size": 4, "precision": "fp32"}
    return TrainOptions(save=tmp_path / "student", student=str(student), **{**wanted, **rest})


def train(chosen: TrainOptions, read: list[dict[str, Any]]) -> list[str]:
    notes: list[str] = []
    run = prepare(iter(read), chosen, notes.append)
    run.execute(on_note=notes.append)  # type: ignore[union-attr]
    run.clean()  # type: ignore[union-attr]
    return notes


@Kinds
def test_a_run_reports_what_it_measures(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    chosen = options(tmp_path, request.getfixturevalue(kind))
    notes = train(chosen, records(20))
    lines = [json.loads(line) for line in (chosen.save / "log.jsonl").read_text().splitlines()]
    found = [line for line in lines if "eval_naming_loss" in line]
    assert len(found) == 2
    assert {"eval_mi_estimate", "eval_mi_shuffled", "eval_mi_loss"} <= found[0].keys()
    assert any("naming_loss" in line and "mi_loss" in line for line in lines)
    assert any("names no choice that --mi name can use" in note for note in notes)
    metadata = json.loads((chosen.save / "mitools.json").read_text())
    assert metadata["options"]["beta"] == 0.5
    assert "valid_naming_loss" in metadata["results"]
    assert "choice that the rationale names" in (chosen.save / "README.md").read_text()


def test_records_that_it_cannot_use_are_refused(tmp_path: Path, tiny_causal: Path) -> None:
    read = [{**record, "choices": None} for record in records(9)]
    with pytest.raises(DataError, match="none does") as found:
        prepare(iter(read), options(tmp_path, tiny_causal), lambda _: None)
    assert 'use "--mi none"' in (found.value.hint or "")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order": "rationale-label"}, "--mi name compares two separate passes"),
        ({"rationales": "sample"}, "--mi name learns from one rationale"),
        ({"alpha": 1.0}, "--alpha 1 leaves the rationale task out"),
    ],
)
def test_options_that_it_excludes(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        options(Path("x"), Path("x"), **changes).check()

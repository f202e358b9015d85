"""The term ``conclude`` in the two-task model: what it reads, what it moves, and what it costs."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mitools.asking.predict import closed_answer
from mitools.errors import UsageError
from mitools.student import load_student
from mitools.student.codec import Codec
from mitools.student.forward import target_logits
from mitools.train.collate import TwoTaskCollator
from mitools.train.losses.objective import Objective
from mitools.train.options import TrainOptions
from mitools.train.prepare import prepare
from mitools.train.task_tensors import COUNTS
from mitools.train.two_task_model import TwoTaskModel
from mitools.train.validate import measure_accuracy, partners, with_rationales_of
from tests.toys import toy_records
from tests.train.models import (
    check_close,
    check_equal,
    check_padding,
    check_pieces,
    gradient,
    losses_and_gradient,
    model_without_dropout,
    tokenized,
)

Kinds = pytest.mark.parametrize("kind", ["tiny_seq2seq", "tiny_causal"])
Forms = pytest.mark.parametrize("fused", [True, False], ids=["fused", "plain"])
Changes = pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mask_label": 1.0},
        {"hides_input": True},
        {"control": "shuffled"},
        {"control": "mixed"},
        {"control": "past"},
    ],
    ids=["as-it-is", "masked", "hidden", "shuffled", "mixed", "past"],
)


def make(request: pytest.FixtureRequest, kind: str, **rest: Any) -> TwoTaskModel:
    """A student with the term."""
    return model_without_dropout(request, kind, **{"mi": "conclude", "beta": 0.5, **rest})


def rows_of(codec: Codec, n: int = 5) -> list[dict[str, Any]]:
    """Rows of different lengths, of which the first has a rationale that was cut."""
    rows = []
    for index, record in enumerate(toy_records(n)):
        more = " so" * (20 if index == 0 else index)
        rows.append(tokenized(codec, record, record["teacher"]["rationale"] + more))
    assert rows[0]["rationale_target"][-1] != codec.tokenizer.eos_token_id
    return rows


def batch_of(codec: Codec, rows: list[dict[str, Any]], **rest: Any) -> dict[str, Any]:
    batch = TwoTaskCollator(codec, True, marks_label_words=True, **rest)(rows)
    del batch["ids"]
    return batch


def read_alone(model: TwoTaskModel, row: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Read one record's label in both ways, its sequences put together by hand: [L, V] each."""
    codec = model.codec
    told, label = row["rationale_target"], row["label_target"]
    told = told if told[-1:] == [model.end_id] else [*told, model.end_id]
    with torch.no_grad():
        predicted = target_logits(
            model.student, codec.kind, codec.pad([row["label_prompt"]], [label])
        )
        concluded = target_logits(
            model.student, codec.kind, codec.pad([row["rationale_prompt"]], [[*told, *label]])
        )
    return predicted[0], concluded[0, len(told) :]


# What it computes


@Kinds
@Forms
@pytest.mark.parametrize("position", ["before", "after"])
def test_the_term_equals_its_definition_a_record_at_a_time(
    request: pytest.FixtureRequest, kind: str, fused: bool, position: str
) -> None:
    if position == "after" and kind == "tiny_seq2seq":
        pytest.skip("an encoder reads all at once")
    model = make(request, kind, fused=fused, prefix_position=position, temperature=2.0)
    assert model.is_fused is fused
    assert (model.tails is not None) is (position == "after")
    rows = rows_of(model.codec)
    entropies, divergences, told, tokens = 0.0, 0.0, [], 0
    for row in rows:
        p, q = read_alone(model, row)
        label = torch.tensor(row["label_target"])[:, None]
        log_p, log_q = (side.log_softmax(-1).gather(-1, label).sum() for side in (p, q))
        entropies -= log_q.item()
        tokens += len(label)
        told.append((log_q - log_p).item())
        if told[-1] > 0:
            soft_p, soft_q = (p / 2).log_softmax(-1), (q / 2).log_softmax(-1)
            divergences += 4 * (soft_q.exp() * (soft_q - soft_p)).sum().item()
    outputs = model(**batch_of(model.codec, rows), wants_words=True)
    assert outputs["conclusion_loss"].item() == pytest.approx(entropies / tokens, rel=1e-4)
    assert outputs["mi_loss"].item() == pytest.approx(divergences / tokens, rel=1e-3, abs=1e-6)
    assert outputs["information"].tolist() == pytest.approx(told, abs=1e-3)
    plain = make(request, kind, mi="none", fused=fused, prefix_position=position)
    expected = plain(**batch_of(model.codec, rows))
    for name in ("label_loss", "rationale_loss"):
        assert outputs[name].item() == pytest.approx(expected[name].item(), rel=1e-5)
    parts = {"label_loss": 0.5, "rationale_loss": 0.5, "conclusion_loss": 0.5, "mi_loss": 0.5}
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
@Changes
def test_fused_and_plain_form_agree(
    request: pytest.FixtureRequest, kind: str, changes: dict[str, Any]
) -> None:
    found = []
    for fused in (True, False):
        model = make(request, kind, fused=fused, **changes).train()
        with torch.no_grad():  # a student that has moved on from its past
            model.student.get_output_embeddings().weight.mul_(1.1)
        torch.manual_seed(1)
        found.append(losses_and_gradient(model, batch_of(model.codec, rows_of(model.codec))))
    assert found[0][0]["mi_loss"] > 0
    check_close(*found)


# What it moves


@Kinds
def test_no_new_term_reaches_the_rationales_logits(
    request: pytest.FixtureRequest, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head's output at the rationale's positions gets gradient from its cross-entropy alone."""
    model = make(request, kind, fused=False, gamma=0.7, beta=0.9)
    batch = batch_of(model.codec, rows_of(model.codec))
    logits: list[Tensor] = []
    head = model.student.get_output_embeddings()
    head.register_forward_hook(lambda _m, _a, out: (out.retain_grad(), logits.append(out))[1])
    seen = model.passes.run(batch["label"], batch["rationale"])
    totals = torch.ones(len(COUNTS))
    losses = model._term_losses(seen, (batch["label"], batch["rationale"], None), totals)
    (losses["conclusion_loss"] + losses["mi_loss"]).backward()
    of_predict, of_explain = (one.grad for one in logits)
    assert of_predict is not None
    assert of_explain is not None
    if kind == "tiny_causal":  # the head runs on the last prompt token and every target token
        of_predict, of_explain = of_predict[:, :-1], of_explain[:, :-1]
    lengths = batch["rationale"]["target_mask"].sum(-1).tolist()
    for row, length in enumerate(lengths):
        assert (of_explain[row, :length] == 0).all()
        assert of_explain[row, length:].abs().sum() > 0
    assert of_predict.abs().sum() > 0


@Kinds
def test_the_gate_opens_only_for_records_whose_rationale_helps(
    request: pytest.FixtureRequest, kind: str
) -> None:
    model = make(request, kind)
    rows = rows_of(model.codec, 8)
    for index, row in enumerate(rows):  # labels that random weights like more and less
        row["label_target"] = [5 + 9 * index, model.end_id]
    outputs = model(**batch_of(model.codec, rows), wants_words=True)
    helps = outputs["information"] > 0
    assert helps.any()
    assert not helps.all()
    for row, is_open in zip(rows, helps, strict=True):
        alone = model(**batch_of(model.codec, [row]))
        assert bool(alone["mi_loss"] > 0) is bool(is_open)


# Batches


@Kinds
def test_pieces_have_the_gradient_of_the_whole(request: pytest.FixtureRequest, kind: str) -> None:
    model = make(request, kind)
    rows = rows_of(model.codec, 6)
    rows[2]["rationale_target"] = []
    rows[4]["label_target"] = []
    for index, row in enumerate(rows):
        row["rationale_weight"] = 1 / (1 + index)
    pieces = [batch_of(model.codec, part) for part in (rows[:1], rows[1:3], rows[3:])]
    check_pieces(model, batch_of(model.codec, rows), pieces)


@Kinds
@pytest.mark.parametrize("missing", ["label", "rationale"])
def test_a_record_without_both_texts_has_no_part_in_the_term(
    request: pytest.FixtureRequest, kind: str, missing: str
) -> None:
    model = make(request, kind)
    rows = rows_of(model.codec, 4)
    rows[1][f"{missing}_prompt"], rows[1][f"{missing}_target"] = [], []
    without = [rows[0], *rows[2:]]
    found, expected = (model(**batch_of(model.codec, part)) for part in (rows, without))
    for name in ("conclusion_loss", "mi_loss"):
        assert found[name].item() == pytest.approx(expected[name].item(), rel=1e-4)
    found["loss"].backward()
    assert torch.isfinite(gradient(model)).all()


@Kinds
def test_a_rationale_of_weight_zero_has_no_part_in_the_term(
    request: pytest.FixtureRequest, kind: str
) -> None:
    model = make(request, kind)
    rows = rows_of(model.codec, 4)
    rows[1]["rationale_weight"] = 0.0
    without = [rows[0], *rows[2:]]
    found, expected = (model(**batch_of(model.codec, part)) for part in (rows, without))
    for name in ("conclusion_loss", "mi_loss"):
        assert found[name].item() == pytest.approx(expected[name].item(), rel=1e-4)


@Kinds
@Changes
def test_padding_changes_nothing(
    request: pytest.FixtureRequest, kind: str, changes: dict[str, Any]
) -> None:
    model = make(request, kind, **changes)
    batch = batch_of(model.codec, rows_of(model.codec))
    wide = {name: {**task} for name, task in batch.items()}
    wide["rationale"]["label_words"] = torch.nn.functional.pad(
        wide["rationale"]["label_words"], (0, 3)
    )
    check_padding(model, batch, wide)


# The changed readings


@Kinds
def test_masking_changes_what_the_conclusion_reads_and_nothing_else(
    request: pytest.FixtureRequest, kind: str
) -> None:
    rows = rows_of(make(request, kind).codec)
    found = {}
    for share in (0.0, 1.0):
        model = make(request, kind, mask_label=share).train()
        found[share] = model(**batch_of(model.codec, rows))
    for name in ("label_loss", "rationale_loss"):
        assert found[1.0][name].item() == pytest.approx(found[0.0][name].item(), rel=1e-5)
    assert abs(found[1.0]["conclusion_loss"] - found[0.0]["conclusion_loss"]) > 1e-5
    model.eval()  # validation masks nothing
    expected = found[0.0]["conclusion_loss"].item()
    assert model(**batch_of(model.codec, rows))["conclusion_loss"].item() == pytest.approx(expected)


@Kinds
def test_a_masked_rationale_has_a_blank_for_every_word_of_the_label(
    request: pytest.FixtureRequest, kind: str
) -> None:
    model = make(request, kind, mask_label=1.0).train()
    row = rows_of(model.codec, 4)[3]
    batch = batch_of(model.codec, [row])
    changed = model.passes.conclusion_input.change(  # type: ignore[union-attr]
        batch["rationale"], torch.tensor([True]), is_training=True
    )
    assert changed is not None
    ids = changed[0]["target_ids"][0]
    assert (ids != batch["rationale"]["target_ids"][0]).any()
    # "3 + 0 = 3." is the rationale and "( 3 + 0 )" the label.
    assert not {"0", "3"} & set(model.codec.decode(ids.tolist()))


@Kinds
def test_a_hidden_input_has_no_influence_on_the_conclusion(
    request: pytest.FixtureRequest, kind: str
) -> None:
    model = make(request, kind, hides_input=True)
    rows = rows_of(model.codec)
    others = [
        {**row, "rationale_prompt": rows[index - 1]["rationale_prompt"]}
        for index, row in enumerate(rows)
    ]
    found, moved = (model(**batch_of(model.codec, part)) for part in (rows, others))
    assert found["conclusion_loss"].item() == pytest.approx(moved["conclusion_loss"].item())
    assert abs(found["rationale_loss"] - moved["rationale_loss"]) > 1e-5


@Kinds
def test_shuffled_rationales_are_those_of_other_records(
    request: pytest.FixtureRequest, kind: str
) -> None:
    model = make(request, kind, control="shuffled").train()
    rows = rows_of(model.codec, 4)
    rows[1]["rationale_target"] = []  # stays out of the circle
    circle = [0, 2, 3]
    moved = [{**row} for row in rows]
    for place, row in enumerate(circle):
        moved[row]["rationale_target"] = rows[circle[place - 1]]["rationale_target"]
    found = model(**batch_of(model.codec, rows))
    honest = make(request, kind)(**batch_of(model.codec, moved))
    assert found["conclusion_loss"].item() == pytest.approx(
        honest["conclusion_loss"].item(), rel=1e-4
    )
    alone = model(**batch_of(model.codec, rows[:1]))  # nobody to exchange with
    assert alone["conclusion_loss"] == alone["mi_loss"] == 0


@Kinds
def test_mixed_rationales_are_those_of_other_records_where_the_draw_says_so(
    request: pytest.FixtureRequest, kind: str
) -> None:
    model = make(request, kind, control="mixed").train()
    rows = rows_of(model.codec, 8)
    torch.manual_seed(3)
    is_moved = (torch.rand(8) < 0.5).tolist()
    assert 1 < sum(is_moved) < 7
    moved = [
        {**row, "rationale_target": rows[place - is_moved[place]]["rationale_target"]}
        for place, row in enumerate(rows)
    ]
    torch.manual_seed(3)
    found = model(**batch_of(model.codec, rows))
    honest = make(request, kind)(**batch_of(model.codec, moved))
    assert found["conclusion_loss"].item() == pytest.approx(
        honest["conclusion_loss"].item(), abs=1e-4
    )
    unmoved = make(request, kind)(**batch_of(model.codec, rows))
    assert found["conclusion_loss"].item() != pytest.approx(
        unmoved["conclusion_loss"].item(), abs=5e-4
    )
    assert found["rationale_loss"].item() == pytest.approx(unmoved["rationale_loss"].item())


@Kinds
def test_the_past_is_an_average_of_the_weights_that_were(
    request: pytest.FixtureRequest, kind: str
) -> None:
    model = make(request, kind, control="past")
    batch = batch_of(model.codec, rows_of(model.codec))
    assert model(**batch)["mi_loss"].abs() < 1e-5  # nothing has changed yet
    head = model.student.get_output_embeddings().weight
    with torch.no_grad():
        first = head.detach().clone()
        head += 0.1 * torch.randn(head.shape, generator=torch.Generator().manual_seed(0))
        model.after_step()
    index = model.critic.names.index(  # type: ignore[union-attr]
        next(n for n, w in model.student.named_parameters() if w is head)
    )
    average = model.critic.get_buffer(f"weight_{index}")  # type: ignore[union-attr]
    assert torch.allclose(average, first + (head - first) * 10 / 11, atol=1e-6)
    assert not [p for p in model.critic.parameters()]  # type: ignore[union-attr]
    before = {name: value.clone() for name, value in model.student.state_dict().items()}
    outputs = model(**batch)
    assert all(torch.equal(before[n], v) for n, v in model.student.state_dict().items())
    outputs["loss"].backward()
    assert torch.isfinite(gradient(model)).all()


@Kinds
def test_informative_weights_change_the_rationale_loss_in_training_alone(
    request: pytest.FixtureRequest, kind: str
) -> None:
    rows = rows_of(make(request, kind).codec)
    for index, row in enumerate(rows):
        row["rationale_weight"] = 1 / (1 + index)
    model = make(request, kind, rationale_weights="informative", temperature=0.01)
    measured = model(**batch_of(model.codec, rows), wants_words=True)
    told = measured["information"]
    alone = [model(**batch_of(model.codec, [row]))["rationale_loss"] for row in rows]
    counts = torch.tensor([len(r["rationale_target"]) * r["rationale_weight"] for r in rows])
    plain = (torch.stack(alone) * counts).sum() / counts.sum()
    assert measured["rationale_loss"].item() == pytest.approx(plain.item(), rel=1e-4)
    chosen = torch.sigmoid(told / 0.01) * counts
    expected = (torch.stack(alone) * chosen).sum() / chosen.sum()
    found = model.train()(**batch_of(model.codec, rows))
    assert found["rationale_loss"].item() == pytest.approx(expected.item(), rel=1e-3)
    found["loss"].backward()
    assert torch.isfinite(gradient(model)).all()


# Whole runs


def options(tmp_path: Path, student: Path | str, **rest: Any) -> TrainOptions:
    return TrainOptions(
        save=tmp_path / "student",
        student=str(student),
        **{
            "mi": "conclude",
            "max_steps": 2,
            "eval_every": 1,
            "batch_size": 4,
            "learning_rate": 1e-2,
            "max_rationale_tokens": 32,
            "precision": "fp32",
            **rest,
        },
    )


def train(chosen: TrainOptions, records: list[dict[str, Any]]) -> list[str]:
    """Make a run, and return what it notes."""
    notes: list[str] = []
    run = prepare(iter(records), chosen, lambda _: None)
    run.execute(on_note=notes.append)  # type: ignore[union-attr]
    run.clean()  # type: ignore[union-attr]
    return notes


@Kinds
def test_a_run_reports_information_and_saves_a_student_that_concludes(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    chosen = replace(options(tmp_path, request.getfixturevalue(kind)), beta=0.5)
    train(chosen, toy_records())
    lines = [json.loads(line) for line in (chosen.save / "log.jsonl").read_text().splitlines()]
    found = [line for line in lines if "eval_mi_estimate" in line]
    assert len(found) == 2
    assert {"eval_mi_shuffled", "eval_conclusion_loss", "eval_mi_loss"} <= found[0].keys()
    assert any("conclusion_loss" in line for line in lines)
    assert load_student(chosen.save, "cpu").codec.concludes
    metadata = json.loads((chosen.save / "mitools.json").read_text())
    assert metadata["options"]["beta"] == 0.5
    assert "valid_mi_estimate" in metadata["results"]
    assert "it outputs a second label" in (chosen.save / "README.md").read_text()


@pytest.mark.parametrize(
    "changes",
    [{"gamma": 0.0}, {"mi": "none"}, {"mi_hide_input": True}],
    ids=["no-gamma", "no-term", "hidden"],
)
def test_a_student_that_cannot_conclude_behind_its_explain_prompt_says_so(
    tmp_path: Path, tiny_causal: Path, changes: dict[str, Any]
) -> None:
    chosen = options(tmp_path, tiny_causal, max_steps=1, **changes)
    train(chosen, toy_records())
    assert not load_student(chosen.save, "cpu").codec.concludes
    assert "it outputs a second label" not in (chosen.save / "README.md").read_text()


def test_without_a_rationale_in_the_data_no_student_concludes(
    tmp_path: Path, tiny_causal: Path
) -> None:
    records = [{**record, "teacher": {}} for record in toy_records()]
    chosen = options(tmp_path, tiny_causal, max_steps=1)
    train(chosen, records)
    assert not load_student(chosen.save, "cpu").codec.concludes


def told_records(n: int) -> list[dict[str, Any]]:
    """Records whose label is a coin that the input does not show and the rationale does."""
    coin = random.Random(0)
    records = toy_records(n)
    for record in records:
        side = coin.choice(["heads", "tails"])
        record |= {"label": side, "task": "labels", "choices": ["heads", "tails"]}
        record["teacher"] = {"label": side, "rationale": f"it shows {side}."}
    return records


def test_shuffling_rationales_takes_the_information_away(tmp_path: Path) -> None:
    """A coin is worth log 2 nats a record; behind another's rationale half are misled."""
    chosen = options(
        tmp_path, "scratch:tiny", max_steps=90, eval_every=90, batch_size=16, learning_rate=3e-3
    )
    train(chosen, told_records(120))
    results = json.loads((chosen.save / "mitools.json").read_text())["results"]
    assert results["valid_mi_estimate"] > 0.4
    assert results["valid_mi_shuffled"] < results["valid_mi_estimate"] / 4


def test_every_record_gets_another_ones_rationale_and_each_is_read_once() -> None:
    rows: list[dict[str, Any]] = [
        {"label_target": [1], "rationale_target": [10 + index]} for index in range(7)
    ]
    rows[3]["rationale_target"] = []
    found = partners(rows, seed=0)
    assert sorted(found) == sorted(found.values()) == [0, 1, 2, 4, 5, 6]
    assert all(place != other for place, other in found.items())
    assert found != partners(rows, seed=1)
    assert partners(rows[:1] + rows[3:4], seed=0) == {}
    strange = with_rationales_of(rows, rows[2:5], range(2, 9), found)
    assert [row["rationale_target"] for row in strange] == [
        rows[found[2]]["rationale_target"],
        [],
        rows[found[4]]["rationale_target"],
    ]


# Options


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alpha": 1.0}, "leaves the rationale task out"),
        ({"alpha": 1.0, "beta": 0.0}, "leaves the rationale task out"),
        ({"order": "rationale-label"}, "compares two separate passes"),
        ({"gamma": -1.0}, "--gamma must be 0 or a positive number"),
        ({"mi_temperature": 0.0}, "--mi-temperature must be a finite number above 0"),
        ({"mi_mask_label": 1.5}, "--mi-mask-label must be between 0 and 1"),
        ({"mi": "none", "rationale_weights": "informative"}, "needs --mi conclude"),
    ],
    ids=["no-rationale", "gamma-alone", "one-pass", "gamma", "temperature", "share", "weights"],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        options(tmp_path, "scratch:tiny", **changes).check()
    assert "\n" not in str(caught.value)


def test_the_weight_of_a_term_is_its_own_where_none_is_given(tmp_path: Path) -> None:
    chosen = options(tmp_path, "scratch:tiny")
    assert chosen.objective.beta == 0
    assert replace(chosen, mi="maxpool").objective.beta == 0.1
    assert replace(chosen, beta=0.3).objective.beta == 0.3
    assert replace(chosen, beta=0.0).as_json() == chosen.as_json()


def test_a_batch_is_cut_only_where_its_rows_stand_alone() -> None:
    assert Objective(mi="conclude").is_sum_over_rows
    assert not Objective(mi="conclude", control="shuffled").is_sum_over_rows
    assert not Objective(mi="conclude", control="mixed").is_sum_over_rows
    assert not Objective(mi="conclude", rationale_weights="informative").is_sum_over_rows


class Undecided:
    """A student that scores the choices as they are given here."""

    def __init__(self, *scores: float) -> None:
        self.scores = list(scores)

    def score_choices(self, texts: Any, choices: Any) -> list[list[float]]:
        return [self.scores for _ in texts]

    def generate_labels(self, texts: Any) -> list[Any]:
        assert not texts
        return []


def test_equal_scores_are_resolved_in_training_as_in_eval() -> None:
    record = {"id": "1", "input": "?", "label": "an ox", "task": "choice", "split": "valid"}
    choices = ["the yak", "an ox", "cow"]
    for scores in ((-1.0, -1.0, -2.0), (-2.0, -1.0, -1.0), (-1.0, -1.0, -1.0), (-3.0, -1.0, -2.0)):
        answer = closed_answer(choices, scores)["label"]
        line = json.dumps({**record, "choices": choices, "label": answer})
        student: Any = Undecided(*scores)
        assert measure_accuracy(student, [line]) == 1

"""Soft labels: what is made of a teacher's answer, and the loss of it in both kinds of students."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from mitools.train.collate import TwoTaskCollator
from mitools.train.run import train_student
from mitools.train.soft_labels import soft_label
from mitools.train.task_tensors import count_targets, soft_of
from mitools.train.two_task_model import TwoTaskModel
from tests.toys import toy_records
from tests.train.runs import options
from tests.train.test_two_task_model import Kinds, gradient, make, rows_of

LABELS = ("yes", "no", "perhaps")


def test_the_choices_of_an_answer_are_its_distribution() -> None:
    teacher = {"label": "yes", "choices": {"no": 0.3, "yes": 0.6, "perhaps": 0.1}}
    found = soft_label(teacher, "no")
    assert [label for label, _ in found] == ["yes", "no", "perhaps"]
    assert dict(found) == pytest.approx(teacher["choices"])


def test_an_answer_without_probabilities_gives_none() -> None:
    assert soft_label({"label": "yes"}, "yes") == ()
    assert soft_label({"label": None, "choices": {"yes": 1.0}}, "yes") == ()


def test_samples_are_averaged_with_or_without_probabilities() -> None:
    samples = [
        {"label": "yes", "choices": {"yes": 0.5, "no": 0.5}},
        {"label": "yes"},
        {"label": None, "error": {"kind": "empty"}},
    ]
    teacher = {"label": "yes", "choices": {"no": 1.0}, "samples": samples}
    assert soft_label(teacher, None) == (("yes", 0.75), ("no", 0.25))


def test_temperature_takes_a_root_of_each_share() -> None:
    teacher = {"label": "yes", "choices": {"yes": 0.9, "no": 0.1}}
    # Roots of 0.9 and 0.1 are in the ratio 3 to 1; squares in the ratio 81 to 1.
    assert dict(soft_label(teacher, None, temperature=2)) == pytest.approx(
        {"yes": 0.75, "no": 0.25}
    )
    squared = dict(soft_label(teacher, None, temperature=0.5))
    assert squared == pytest.approx({"yes": 81 / 82, "no": 1 / 82})
    tiny = {"label": "yes", "choices": {"yes": 1e-6, "no": 1e-6}}
    assert soft_label(tiny, None, temperature=0.001) == (("yes", 0.5), ("no", 0.5))


def test_the_rest_of_the_weight_is_that_of_the_label() -> None:
    teacher = {"label": "yes", "choices": {"yes": 0.8, "no": 0.2}}
    mixed = soft_label(teacher, "perhaps", weight=0.25)
    assert dict(mixed) == pytest.approx({"perhaps": 0.75, "yes": 0.2, "no": 0.05})
    assert mixed[0][0] == "perhaps"
    assert soft_label(teacher, "perhaps", weight=0) == (("perhaps", 1.0),)


def test_hardly_possible_labels_are_left_out() -> None:
    teacher = {"label": "yes", "choices": {"yes": 0.9995, "no": 0.0005}}
    assert soft_label(teacher, None) == (("yes", 1.0),)


def with_soft(
    model: TwoTaskModel, rows: list[dict[str, Any]], shares: Sequence[dict[str, float]]
) -> dict[str, Any]:
    """Make a batch whose rows have distributions over labels; an empty one is none."""
    encode = model.codec.encode_targets
    wide = [
        {
            **row,
            "soft_labels": [ids for ids, _ in encode("label", list(share))] if share else [],
            "soft_shares": list(share.values()),
        }
        for row, share in zip(rows, shares, strict=True)
    ]
    batch = TwoTaskCollator(model.codec, with_rationales=True, soft_labels=True)(wide)
    del batch["ids"]
    return batch


def label_loss(model: TwoTaskModel, row: dict[str, Any], label: str) -> float:
    """Compute -log P(label | input), in nats, in a pass of its own."""
    target = model.codec.encode_target("label", label)[0]
    collated = TwoTaskCollator(model.codec, with_rationales=False)(
        [{**row, "label_target": target}]
    )
    return float(model(collated["label"], counts=torch.ones(5))["label_loss"])


@Kinds
@pytest.mark.parametrize("mi", ["none", "maxpool"])
def test_a_sure_teacher_has_the_loss_and_gradient_of_its_label(
    request: pytest.FixtureRequest, kind: str, mi: str
) -> None:
    model = make(request, kind, mi)
    rows = rows_of(model.codec)
    hard = with_soft(model, rows, [{}] * len(rows))
    assert soft_of(hard["label"]) is None
    known = model(**hard)
    known["loss"].backward()
    expected = gradient(model)
    labels = [{record["label"]: 1.0} for record in toy_records(len(rows))]
    soft = model(**with_soft(model, rows, labels))
    soft["loss"].backward()
    assert soft["loss"].item() == pytest.approx(known["loss"].item(), rel=1e-6)
    assert torch.allclose(gradient(model), expected, rtol=1e-4, atol=1e-7)


@Kinds
def test_the_loss_is_the_cross_entropy_of_the_distribution(
    request: pytest.FixtureRequest, kind: str
) -> None:
    model = make(request, kind, "none")
    rows = rows_of(model.codec, 2)
    shares = [{"yes": 0.5, "no": 0.3, "perhaps": 0.2}, {"no": 0.9, "yes": 0.1}]
    batch = with_soft(model, rows, shares)
    losses = model(**batch, counts=torch.ones(5))
    expected = sum(
        share * label_loss(model, row, label)
        for row, found in zip(rows, shares, strict=True)
        for label, share in found.items()
    )
    assert losses["label_loss"].item() == pytest.approx(expected, rel=1e-5)
    # By default the sum is divided by the label tokens, each counted by its share.
    tokens = sum(
        share * len(model.codec.encode_target("label", label)[0])
        for found in shares
        for label, share in found.items()
    )
    assert model(**batch)["label_loss"].item() == pytest.approx(expected / tokens, rel=1e-5)


@Kinds
def test_an_even_rest_is_label_smoothing(request: pytest.FixtureRequest, kind: str) -> None:
    model = make(request, kind, "none")
    [row] = rows_of(model.codec, 1)
    epsilon = 0.3
    shares = {label: epsilon / 3 for label in LABELS}
    shares["yes"] += 1 - epsilon
    found = model(**with_soft(model, [row], [shares]), counts=torch.ones(5))["label_loss"].item()
    losses = [label_loss(model, row, label) for label in LABELS]
    smoothed = (1 - epsilon) * losses[0] + epsilon * sum(losses) / 3
    assert found == pytest.approx(smoothed, rel=1e-5)


@Kinds
def test_pieces_add_up_and_padding_changes_nothing(
    request: pytest.FixtureRequest, kind: str
) -> None:
    model = make(request, kind, "none")
    rows = rows_of(model.codec, 4)
    shares = [{"yes": 0.5, "perhaps": 0.5}, {}, {"no": 0.75, "yes": 0.25}, {"no": 1.0}]
    batch = with_soft(model, rows, shares)
    whole = model(**batch)["loss"].item()
    pieces = [with_soft(model, rows[a:b], shares[a:b]) for a, b in ((0, 1), (1, 2), (2, 4))]
    counts = sum(
        count_targets(piece["label"], piece["rationale"], model.end_id) for piece in pieces
    )
    assert isinstance(counts, torch.Tensor)
    parts = sum(model(**piece, counts=counts)["loss"].item() for piece in pieces)
    assert parts == pytest.approx(whole, rel=1e-5)
    for name in ("soft_target_ids", "soft_target_mask"):
        batch["label"][name] = torch.nn.functional.pad(batch["label"][name], [0, 3])
    assert model(**batch)["loss"].item() == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize(
    "changes",
    [{"mi": "none"}, {"mi": "maxpool"}, {"order": "label-rationale", "mi": "none"}, {"alpha": 1.0}],
    ids=["dss", "maxpool", "one-pass", "label-only"],
)
def test_students_of_each_form_train_on_them(
    tmp_path: Path, tiny_causal: Path, changes: dict[str, Any]
) -> None:
    records = toy_records()
    for record in records:
        label = record["teacher"]["label"]
        record["teacher"]["choices"] = {label: 0.7, "(1 + 1)": 0.3}
    chosen = options(tmp_path, tiny_causal, soft_labels=True, max_steps=2, **changes)
    train_student(records, chosen)
    assert (chosen.save / "mitools.json").exists()

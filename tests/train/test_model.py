"""The two-task module: pieces add up to the whole, and padding and batch-mates change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mitools.student.codec import Codec
from mitools.student.models import open_checkpoint
from mitools.student.network import target_logits
from mitools.train.collate import TwoTaskCollator
from mitools.train.model import TwoTaskModel, count_targets
from tests.toys import toy_records

Kinds = pytest.mark.parametrize("kind", ["tiny_seq2seq", "tiny_causal"])


def make(request: pytest.FixtureRequest, kind: str, mi: str = "maxpool") -> TwoTaskModel:
    folder: Path = request.getfixturevalue(kind)
    base = open_checkpoint(str(folder), kind)
    model = TwoTaskModel(base.model, Codec(base.tokenizer, base.kind), mi, 0.5, 0.1)  # type: ignore[arg-type]
    return model.eval()


def rows_of(codec: Codec, n: int = 6) -> list[dict[str, Any]]:
    rows = []
    for record in toy_records(n):
        row: dict[str, Any] = {"id": record["id"]}
        for purpose, text in (
            ("label", record["label"]),
            ("rationale", record["teacher"]["rationale"] * (1 + len(rows) % 3)),
        ):
            row[f"{purpose}_prompt"] = codec.encode_prompt(purpose, record["input"])[0]  # type: ignore[arg-type]
            row[f"{purpose}_target"] = codec.encode_target(purpose, text)[0]  # type: ignore[arg-type]
        rows.append(row)
    return rows


def batch_of(model: TwoTaskModel, rows: list[dict[str, Any]]) -> dict[str, Any]:
    batch = TwoTaskCollator(model.codec, with_rationales=True)(rows)
    del batch["ids"]
    return batch


def gradient(model: TwoTaskModel) -> torch.Tensor:
    grads = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    return torch.cat(grads)


@Kinds
@pytest.mark.parametrize("mi", ["none", "maxpool"])
def test_pieces_have_the_gradient_of_the_whole(
    request: pytest.FixtureRequest, kind: str, mi: str
) -> None:
    model = make(request, kind, mi)
    rows = rows_of(model.codec)
    whole = batch_of(model, rows)
    model(**whole)["loss"].backward()
    expected = gradient(model)

    pieces = [batch_of(model, rows[:1]), batch_of(model, rows[1:4]), batch_of(model, rows[4:])]
    counts = sum(count_targets(p["label"], p["rationale"], model.end_id) for p in pieces)
    for piece in pieces:
        model(**piece, counts=counts)["loss"].backward()
    assert torch.allclose(gradient(model), expected, rtol=1e-3, atol=1e-6)


@Kinds
def test_a_rows_logits_do_not_depend_on_the_padding_of_its_batch(
    request: pytest.FixtureRequest, kind: str
) -> None:
    model = make(request, kind)
    rows = rows_of(model.codec)
    rows[1]["rationale_prompt"] = rows[1]["rationale_prompt"][:6]  # much shorter than its mates
    codec = model.codec
    prompts = [row["rationale_prompt"] for row in rows]
    targets = [row["rationale_target"] for row in rows]
    with torch.no_grad():
        together = target_logits(model.student, codec.kind, codec.pad(prompts, targets))
        for index, (prompt, target) in enumerate(zip(prompts, targets, strict=True)):
            alone = target_logits(model.student, codec.kind, codec.pad([prompt], [target]))
            assert torch.allclose(alone[0], together[index, : len(target)], atol=1e-4)


@Kinds
def test_no_token_sees_a_later_target_token(request: pytest.FixtureRequest, kind: str) -> None:
    model = make(request, kind)
    row = rows_of(model.codec, 1)[0]
    prompt, target = row["label_prompt"], row["label_target"]
    changed = [*target[:-1], target[0]]
    with torch.no_grad():
        one, other = (
            target_logits(model.student, model.codec.kind, model.codec.pad([prompt], [ids]))
            for ids in (target, changed)
        )
    assert torch.allclose(one, other, atol=1e-5)


@Kinds
def test_beta_zero_equals_no_term(request: pytest.FixtureRequest, kind: str) -> None:
    with_term, without = make(request, kind), make(request, kind, "none")
    with_term.beta = 0.0
    batch = batch_of(with_term, rows_of(with_term.codec))
    assert torch.equal(with_term(**batch)["loss"], without(**batch)["loss"])


@Kinds
def test_a_record_without_a_rationale_teaches_its_label_alone(
    request: pytest.FixtureRequest, kind: str
) -> None:
    model = make(request, kind)
    rows = rows_of(model.codec, 3)
    for row in rows:
        row["rationale_prompt"], row["rationale_target"] = [], []
    parts = model(**batch_of(model, rows))
    assert torch.isfinite(parts["loss"])
    assert parts["rationale_loss"] == 0
    assert parts["mi_loss"] == 0
    assert parts["loss"].item() == pytest.approx(0.5 * parts["label_loss"].item())


def test_label_loss_equals_what_transformers_computes(tiny_seq2seq: Path) -> None:
    base = open_checkpoint(str(tiny_seq2seq), "tiny")
    codec = Codec(base.tokenizer, base.kind)
    model = TwoTaskModel(base.model.eval(), codec, "none", 1.0, 0.0)
    batch = batch_of(model, rows_of(codec))["label"]
    labels = batch["target_ids"].masked_fill(batch["target_mask"] == 0, -100)
    theirs = base.model(
        input_ids=batch["prompt_ids"], attention_mask=batch["prompt_mask"], labels=labels
    ).loss
    assert model(batch)["label_loss"].item() == pytest.approx(theirs.item(), rel=1e-5)


def test_prompt_tokens_of_a_causal_student_carry_no_loss(tiny_causal: Path) -> None:
    base = open_checkpoint(str(tiny_causal), "tiny")
    codec = Codec(base.tokenizer, base.kind)
    row = rows_of(codec, 1)[0]
    pairs = codec.pad([row["label_prompt"]], [row["label_target"]])
    ids = torch.cat([pairs.prompt_ids, pairs.target_ids], 1)
    labels = ids.clone()
    labels[:, : pairs.prompt_ids.shape[1]] = -100
    theirs = base.model.eval()(input_ids=ids, labels=labels).loss
    model = TwoTaskModel(base.model, codec, "none", 1.0, 0.0)
    assert model(pairs.as_dict())["label_loss"].item() == pytest.approx(theirs.item(), rel=1e-5)

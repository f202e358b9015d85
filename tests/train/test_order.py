"""Both texts in one pass: each token's loss is its task's, and terms read the right positions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from mitools.errors import UsageError
from mitools.student import load_student
from mitools.student.base.open_base import open_checkpoint
from mitools.student.base.scratch import build_scratch
from mitools.student.codec import PREFIXES, Codec, Order
from mitools.student.forward import target_logits
from mitools.student.local import LocalStudent
from mitools.train.collate import TwoTaskCollator
from mitools.train.dry_run import describe_training
from mitools.train.losses.objective import (
    Objective,
    divergence_losses,
    pooled_log_probs,
)
from mitools.train.options import TrainOptions
from mitools.train.prepare import prepare
from mitools.train.task_tensors import count_targets
from mitools.train.two_task_model import TwoTaskModel
from tests.toys import toy_records

Kinds = pytest.mark.parametrize("kind", ["tiny_seq2seq", "tiny_causal"])
Orders = pytest.mark.parametrize("order", ["label-rationale", "rationale-label"])
Forms = pytest.mark.parametrize("fused", [True, False], ids=["fused", "plain"])


def make(request: pytest.FixtureRequest, kind: str, order: Order, **rest: Any) -> TwoTaskModel:
    base = open_checkpoint(str(request.getfixturevalue(kind)), kind)
    fused = rest.pop("fused", None)
    torch.manual_seed(0)
    codec = Codec(base.tokenizer, base.kind, 512, 20, 24, order)
    objective = Objective(**{"mi": "none", **rest})
    return TwoTaskModel(base.model, codec, objective, fused=fused).eval()


def rows_of(codec: Codec, n: int = 5) -> list[dict[str, Any]]:
    """Rows of different lengths: one lacks its label, one its rationale, and one was cut."""
    rows: list[dict[str, Any]] = []
    for index, record in enumerate(toy_records(n)):
        texts = {
            "label": record["label"] if index != 1 else None,
            "rationale": "then " * (12 if index == 0 else index) if index != 2 else None,
        }
        row: dict[str, Any] = {"id": record["id"]}
        for purpose, text in texts.items():
            is_first = purpose == codec.first
            row[f"{purpose}_prompt"] = (
                codec.encode_prompt(purpose, record["input"])[0] if is_first else []
            )  # type: ignore[arg-type]
            row[f"{purpose}_target"] = codec.encode_target(purpose, text)[0] if text else []  # type: ignore[arg-type]
        rows.append(row)
    assert rows[0]["rationale_target"][-1] != codec.tokenizer.eos_token_id
    return rows


def batch_of(codec: Codec, rows: list[dict[str, Any]]) -> dict[str, Any]:
    batch = TwoTaskCollator(codec, with_rationales=True)(rows)
    del batch["ids"]
    return batch


def logits_alone(model: TwoTaskModel, row: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Run one record's sequence, put together by hand, and cut it into its parts: [T, V] each."""
    first = model.codec.first
    second = "rationale" if first == "label" else "label"
    begin, rest = row[f"{first}_target"], row[f"{second}_target"]
    if begin[-1:] != [model.end_id]:
        begin = [*begin, model.end_id]
    pairs = model.codec.pad([row[f"{first}_prompt"]], [[*begin, *rest]])
    logits = target_logits(model.student, model.codec.kind, pairs)[0]
    size = len(row[f"{first}_target"])
    return {str(first): logits[:size], second: logits[len(begin) : len(begin) + len(rest)]}


def losses_by_hand(model: TwoTaskModel, rows: list[dict[str, Any]]) -> dict[str, float]:
    totals, counts = {"label": 0.0, "rationale": 0.0}, {"label": 0, "rationale": 0}
    for row in rows:
        with torch.no_grad():
            parts = logits_alone(model, row)
        for name, logits in parts.items():
            for scores, token in zip(logits, row[f"{name}_target"], strict=True):
                totals[name] -= scores.log_softmax(-1)[token].item()
                counts[name] += 1
    return {f"{name}_loss": totals[name] / counts[name] for name in totals}


# Losses


@Kinds
@Orders
@Forms
def test_each_tokens_loss_is_that_of_its_text(
    request: pytest.FixtureRequest, kind: str, order: Order, fused: bool
) -> None:
    """Nothing is learned of the end behind a text that was cut, or behind one that is missing."""
    model = make(request, kind, order, fused=fused, alpha=0.3)
    rows = rows_of(model.codec)
    found = model(**batch_of(model.codec, rows))
    assert model.is_fused is fused
    expected = losses_by_hand(model, rows)
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value, rel=1e-4)
    whole = 0.3 * expected["label_loss"] + 0.7 * expected["rationale_loss"]
    assert found["loss"].item() == pytest.approx(whole, rel=1e-4)


@Kinds
@Orders
def test_what_comes_first_has_the_loss_that_it_has_in_two_passes(
    request: pytest.FixtureRequest, kind: str, order: Order
) -> None:
    model = make(request, kind, order)
    rows = rows_of(model.codec)
    found = model(**batch_of(model.codec, rows))
    separate = make(request, kind, "separate")
    for row, record in zip(rows, toy_records(5), strict=True):
        for name in ("label", "rationale"):
            row[f"{name}_prompt"] = separate.codec.encode_prompt(name, record["input"])[0]
    two = separate(**batch_of(separate.codec, rows))
    first, second = ("label", "rationale") if order == "label-rationale" else ("rationale", "label")
    assert found[f"{first}_loss"].item() == pytest.approx(two[f"{first}_loss"].item(), rel=1e-4)
    assert found[f"{second}_loss"].item() != pytest.approx(two[f"{second}_loss"].item(), rel=1e-4)


@Kinds
@Orders
def test_pieces_of_one_pass_have_the_gradient_of_the_whole(
    request: pytest.FixtureRequest, kind: str, order: Order
) -> None:
    model = make(request, kind, order, mi="maxpool")
    rows = rows_of(model.codec)

    def gradient() -> torch.Tensor:
        grads = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        model.zero_grad()
        return torch.cat(grads)

    model(**batch_of(model.codec, rows))["loss"].backward()
    expected = gradient()
    pieces = [batch_of(model.codec, part) for part in (rows[:1], rows[1:3], rows[3:])]
    counts = sum(count_targets(p["label"], p["rationale"], model.end_id) for p in pieces)
    for piece in pieces:
        model(**piece, counts=counts)["loss"].backward()
    assert (gradient() - expected).norm() < 1e-4 * expected.norm()


@Kinds
@Orders
def test_padding_changes_nothing_in_one_pass(
    request: pytest.FixtureRequest, kind: str, order: Order
) -> None:
    model = make(request, kind, order, mi="infonce", critic="vocabulary")
    batch = batch_of(model.codec, rows_of(model.codec))
    wide = {name: {**task} for name, task in batch.items()}
    for task in wide.values():
        for name in ("target_ids", "target_mask"):
            task[name] = torch.nn.functional.pad(task[name], (0, 3))
    plain, padded = model(**batch), model(**wide)
    for name, value in plain.items():
        assert padded[name].item() == pytest.approx(value.item(), rel=1e-4, abs=1e-6)


def bare_model(name: str, tokenizer: Any) -> Any:
    """Make a tiny model with random weights; Bart's positions are absolute, T5's are not."""
    from transformers import BartConfig, BartForConditionalGeneration, LlamaConfig, LlamaForCausalLM

    known = {
        "vocab_size": len(tokenizer),
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if name == "llama":
        shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
        return LlamaForCausalLM(LlamaConfig(**known, **shape, num_attention_heads=2))
    sides = ("encoder", "decoder")
    shape = {f"{side}_layers": 1 for side in sides} | {f"{side}_ffn_dim": 64 for side in sides}
    shape |= {f"{side}_attention_heads": 2 for side in sides}
    config = BartConfig(
        **known,
        **shape,
        d_model=32,
        max_position_embeddings=128,
        dropout=0.0,
        decoder_start_token_id=tokenizer.pad_token_id,
        forced_eos_token_id=None,
    )
    return BartForConditionalGeneration(config)


@pytest.mark.parametrize("name", ["t5", "bart", "llama"])
@Orders
def test_a_student_says_both_texts_as_it_learned_them(name: str, order: Order) -> None:
    records = toy_records(6)
    texts = {
        "label": [record["label"] for record in records],
        "rationale": [record["teacher"]["rationale"] for record in records],
    }
    inputs = [record["input"] for record in records]
    everything = [*inputs, *texts["label"], *texts["rationale"]]
    size = "small" if name == "t5" else "tiny"  # one layer of T5 did not learn it
    model, tokenizer = build_scratch(everything, size=size, seed=0)
    torch.manual_seed(0)
    student = model if name == "t5" else bare_model(name, tokenizer)
    codec = Codec(tokenizer, "causal" if name == "llama" else "seq2seq", 64, 16, 24, order)
    rows = [
        {"id": str(index)}
        | {f"{p}_target": codec.encode_target(p, texts[p][index])[0] for p in PREFIXES}
        | {f"{p}_prompt": codec.encode_prompt(p, inputs[index])[0] for p in PREFIXES}
        for index in range(6)
    ]
    both = TwoTaskModel(student, codec, Objective(mi="none")).train()
    batch = batch_of(codec, rows)
    peak, steps = (2e-3, 120) if name == "t5" else (1e-2, 150)
    optimizer = torch.optim.AdamW(both.parameters(), lr=peak)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = peak * (1 - step / steps)
        both(**batch)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
    asked = LocalStudent(student, codec)
    assert [one.text for one in asked.generate_labels(inputs)] == texts["label"]
    assert [one.text for one in asked.generate_rationales(inputs)] == texts["rationale"]
    scores = asked.score_choices(inputs, [texts["label"]] * 6)
    assert [row.index(max(row)) for row in scores] == list(range(6))


# The MI terms


@Kinds
@Orders
@Forms
def test_the_term_reads_each_side_at_its_own_positions(
    request: pytest.FixtureRequest, kind: str, order: Order, fused: bool
) -> None:
    model = make(request, kind, order, mi="maxpool", fused=fused)
    rows = rows_of(model.codec)
    expected, count = 0.0, 0
    for row in rows:
        if row["label_target"] and row["rationale_target"]:
            sides = {}
            for name, logits in logits_alone(model, row).items():
                words = torch.tensor([row[f"{name}_target"]]) != model.end_id
                sides[name] = pooled_log_probs(logits[None], words)
            expected += divergence_losses(sides["label"], sides["rationale"]).item()
            count += 1
    assert count == 3
    found = model(**batch_of(model.codec, rows))["mi_loss"].item()
    assert found == pytest.approx(expected / count, rel=1e-4)


@Kinds
@Orders
@pytest.mark.parametrize("mi", ["infonce", "jsd", "nwj"])
def test_contrastive_terms_on_words_take_wrong_rationales_in_one_pass(
    request: pytest.FixtureRequest, kind: str, order: Order, mi: str
) -> None:
    model = make(request, kind, order, mi=mi, critic="vocabulary", beta=1.0)
    rows = rows_of(model.codec)
    batch = batch_of(model.codec, rows)
    without = model(**batch)["mi_loss"]
    with_wrong = model(**batch, wrong=batch["rationale"])
    assert with_wrong["mi_loss"] > without
    with_wrong["loss"].backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.isfinite(grad).all() for grad in grads)


def options(tmp_path: Path, student: Path | str, **changes: Any) -> TrainOptions:
    defaults = {
        "max_steps": 2,
        "eval_every": 1,
        "batch_size": 4,
        "max_label_tokens": 16,
        "max_rationale_tokens": 24,
        "learning_rate": 1e-3,
    }
    return TrainOptions(save=tmp_path / "student", student=str(student), **{**defaults, **changes})


@Orders
@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"mi": "paper"}, "--mi maxpool"),
        ({"mi": "infonce"}, "--mi-critic vocabulary"),
        ({"mi": "jsd"}, "--mi-critic vocabulary"),
        ({"alpha": 1.0}, "--order"),
    ],
)
def test_terms_that_make_no_sense_in_one_pass_are_refused(
    order: Order, changes: dict[str, Any], word: str
) -> None:
    with pytest.raises(UsageError, match=word):
        options(Path("nowhere"), "x", order=order, **changes).check()


def test_the_rationale_predicts_the_label_only_where_it_has_not_read_it() -> None:
    with pytest.raises(UsageError, match="have read the label"):
        options(Path("x"), "x", order="label-rationale", mi="ba").check()
    options(Path("x"), "x", order="rationale-label", mi="ba").check()


# Whole runs


def train(chosen: TrainOptions, records: list[dict[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    notes: list[str] = []
    run = prepare(iter(records), chosen, notes.append)
    run.execute()
    run.clean()
    metadata: dict[str, Any] = json.loads((chosen.save / "mitools.json").read_text())
    return metadata, notes


@Kinds
@Orders
def test_a_run_of_one_pass_is_saved_with_its_order(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, order: Order
) -> None:
    folder: Path = request.getfixturevalue(kind)
    records = toy_records()
    records[0]["label"] = records[0]["teacher"]["label"] = None
    records[3]["teacher"]["rationale"] = " "
    mi = "ba" if order == "rationale-label" else "maxpool"
    metadata, notes = train(options(tmp_path, folder, order=order, mi=mi), records)
    assert (metadata["order"], metadata["trained"]) == (order, ["label", "rationale"])
    assert "1 training records without a label" in notes
    assert "1 training records without a rationale" in notes
    student = load_student(tmp_path / "student")
    inputs = [record["input"] for record in records[:3]]
    labels = student.generate_labels(inputs)
    assert all(one.tokens <= 16 for one in labels)
    assert all(one.tokens <= 24 for one in student.generate_rationales(inputs))
    assert len(student.score_choices(inputs, [["1", "2"]] * 3)) == 3
    card = (tmp_path / "student" / "README.md").read_text()
    first, second = order.split("-")
    assert f" it outputs the {first}, an end token, and the {second}." in card


def test_a_dry_run_of_one_pass_shows_one_prompt(tmp_path: Path, tiny_causal: Path) -> None:
    chosen = options(tmp_path, tiny_causal, order="rationale-label")
    run = prepare(iter(toy_records()), chosen, lambda _: None)
    names = [name for name, _ in describe_training(run)]
    run.clean()
    assert "rationale prompt" in names
    assert "label prompt" not in names
    assert {"label target", "rationale target", "activations of a forward pass, about"} <= set(
        names
    )


def test_a_student_that_learned_labels_alone_says_so(tmp_path: Path, tiny_causal: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "c").mkdir()
    alone, _ = train(options(tmp_path / "a", tiny_causal, alpha=1.0), toy_records())
    assert alone["trained"] == ["label"]
    card = (tmp_path / "a" / "student" / "README.md").read_text()
    assert "A student that answers, trained" in card
    assert "For the prompt `predict: …` it answers." in card
    assert "explain: …" not in card
    other, _ = train(options(tmp_path / "b", tiny_causal, alpha=0.0), toy_records())
    assert other["trained"] == ["rationale"]
    bare = [{**record, "teacher": {"label": record["label"]}} for record in toy_records()]
    none, _ = train(options(tmp_path / "c", tiny_causal), bare)
    assert none["trained"] == ["label"]

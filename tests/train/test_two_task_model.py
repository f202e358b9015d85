"""The two-task module: pieces add up to the whole, and padding and batch-mates change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mitools.student.base.open_base import open_checkpoint
from mitools.student.codec import Codec
from mitools.student.forward import (
    has_plain_head,
    target_logits,
    target_logits_and_states,
    target_states,
    two_task_states,
)
from mitools.train.collate import TwoTaskCollator
from mitools.train.losses.objective import MI_TERMS, Objective
from mitools.train.task_tensors import count_targets, pairs_of
from mitools.train.two_task_model import TwoTaskModel
from tests.toys import toy_records
from tests.train.models import (
    NAMED,
    check_close,
    check_padding,
    gradient,
    losses_and_gradient,
    tokenized,
)

Kinds = pytest.mark.parametrize("kind", ["tiny_seq2seq", "tiny_causal"])


def make(
    request: pytest.FixtureRequest, kind: str, mi: str = "maxpool", **rest: Any
) -> TwoTaskModel:
    folder: Path = request.getfixturevalue(kind)
    base = open_checkpoint(str(folder), kind)
    fused = rest.pop("fused", None)
    objective = Objective(mi=mi, **rest)  # type: ignore[arg-type]
    torch.manual_seed(0)
    codec = Codec(base.tokenizer, base.kind)
    return TwoTaskModel(base.model, codec, objective, fused=fused).eval()


def rows_of(codec: Codec, n: int = 6) -> list[dict[str, Any]]:
    rows = []
    for record in toy_records(n):
        told = record["teacher"]["rationale"] * (1 + len(rows) % 3)
        rows.append({**tokenized(codec, record, told), **NAMED, "name_gold": len(rows) % 3})
    return rows


def batch_of(model: TwoTaskModel, rows: list[dict[str, Any]]) -> dict[str, Any]:
    batch = TwoTaskCollator(model.codec, True, names=model.objective.names)(rows)
    del batch["ids"]
    return batch


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
    with_term, without = make(request, kind, beta=0.0), make(request, kind, "none")
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
    model = TwoTaskModel(base.model.eval(), codec, Objective(1.0, 0.0, "none"))
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
    model = TwoTaskModel(base.model, codec, Objective(1.0, 0.0, "none"))
    assert model(pairs.as_dict())["label_loss"].item() == pytest.approx(theirs.item(), rel=1e-5)


# The states that the vocabulary head reads


@Kinds
def test_the_head_makes_the_logits_of_the_states(request: pytest.FixtureRequest, kind: str) -> None:
    model = make(request, kind)
    batch = batch_of(model, rows_of(model.codec))
    pairs = [pairs_of(batch[name]) for name in ("label", "rationale")]
    assert model.is_fused
    with torch.no_grad():
        together = two_task_states(model.student, model.codec.kind, *pairs)
        for pair, states in zip(pairs, together, strict=True):
            logits = target_logits(model.student, model.codec.kind, pair)
            assert torch.allclose(states @ model.head.weight.T, logits, atol=1e-4)
            alone = target_states(model.student, model.codec.kind, pair)
            assert torch.allclose(alone, states, atol=1e-5)
            both = target_logits_and_states(model.student, model.codec.kind, pair)
            assert torch.equal(both[0], logits)
            assert torch.equal(both[1], alone)


def test_a_model_that_caps_its_logits_is_run_in_the_plain_form() -> None:
    from transformers import Gemma2Config, Gemma2ForCausalLM

    config = Gemma2Config(
        vocab_size=40,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        final_logit_softcapping=30.0,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
    )
    model = Gemma2ForCausalLM(config).train()
    one = torch.ones(1, 1, dtype=torch.long)
    from mitools.student.codec import Pairs

    pairs = Pairs(one, one, one, one)
    assert not has_plain_head(model, "causal", pairs)
    assert model.training
    model.config.final_logit_softcapping = None
    assert has_plain_head(model, "causal", pairs)


def test_a_bias_of_nothing_behind_the_head_is_nothing() -> None:
    from transformers import BartConfig, BartForConditionalGeneration

    from mitools.student.codec import Pairs

    config = BartConfig(
        vocab_size=40,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        max_position_embeddings=32,
    )
    model = BartForConditionalGeneration(config)
    one = torch.ones(1, 1, dtype=torch.long)
    pairs = Pairs(one, one, one, one)
    assert has_plain_head(model, "seq2seq", pairs)
    model.final_logits_bias += 0.5
    assert not has_plain_head(model, "seq2seq", pairs)


@Kinds
@pytest.mark.parametrize("mi", [term for term in MI_TERMS if term != "paper"])
def test_fused_and_plain_form_agree(request: pytest.FixtureRequest, kind: str, mi: str) -> None:
    found = []
    for fused in (True, False):
        model = make(request, kind, mi, beta=1.0, fused=fused)
        assert model.is_fused is fused
        found.append(losses_and_gradient(model, batch_of(model, rows_of(model.codec))))
    check_close(*found, rel=1e-5)


# The MI terms


@Kinds
@pytest.mark.parametrize("mi", [term for term in MI_TERMS if term != "paper"])
@pytest.mark.parametrize("critic", ["states", "vocabulary"])
def test_padding_changes_no_term(
    request: pytest.FixtureRequest, kind: str, mi: str, critic: str
) -> None:
    model = make(request, kind, mi, critic=critic)
    batch = batch_of(model, rows_of(model.codec))
    wide = {name: {**task} for name, task in batch.items()}
    check_padding(model, batch, wide)


@Kinds
@pytest.mark.parametrize("mi", ["infonce", "jsd", "nwj", "ba", "maxpool"])
@pytest.mark.parametrize("side", ["both", "rationale"])
def test_the_label_moves_only_where_it_may(
    request: pytest.FixtureRequest, kind: str, mi: str, side: str
) -> None:
    model = make(request, kind, mi, gradient=side, critic="states")
    batch = batch_of(model, rows_of(model.codec))
    seen = model.passes.run(batch["label"], batch["rationale"])
    leaves = []
    for part in seen:
        part.states.retain_grad()
        leaves.append(part.states)
    totals = count_targets(batch["label"], batch["rationale"], model.end_id).float()
    model._mi_loss(seen, (batch["label"], batch["rationale"], None), totals).backward()
    of_label, of_rationale = (0 if leaf.grad is None else leaf.grad.abs().sum() for leaf in leaves)
    assert bool(of_label > 0) is (side == "both")
    assert of_rationale > 0


@Kinds
@pytest.mark.parametrize("critic", ["states", "vocabulary"])
def test_a_rationale_known_to_be_wrong_is_told_apart(
    request: pytest.FixtureRequest, kind: str, critic: str
) -> None:
    model = make(request, kind, "infonce", critic=critic)
    rows = rows_of(model.codec)
    batch = batch_of(model, rows)
    same = {**batch, "wrong": batch["rationale"]}  # as wrong as right: no telling apart
    none = {
        **batch,
        "wrong": batch_of(model, [{**r, "rationale_target": []} for r in rows])["rationale"],
    }
    plain = model(**batch)["mi_loss"]
    assert model(**none)["mi_loss"].item() == pytest.approx(plain.item(), rel=1e-5)
    assert model(**same)["mi_loss"] > plain
    model(**same)["loss"].backward()
    assert torch.isfinite(gradient(model)).all()


@Kinds
@pytest.mark.parametrize("mi", MI_TERMS)
def test_every_term_is_finite_without_a_single_rationale(
    request: pytest.FixtureRequest, kind: str, mi: str
) -> None:
    model = make(request, kind, mi)
    rows = [{**row, "rationale_prompt": [], "rationale_target": []} for row in rows_of(model.codec)]
    parts = model(**batch_of(model, rows))
    parts["loss"].backward()
    assert torch.isfinite(parts["loss"])
    assert mi == "paper" or parts.get("mi_loss", 0) == 0
    assert torch.isfinite(gradient(model)).all()


@Kinds
@pytest.mark.parametrize("mi", ["none", "maxpool", "infonce"])
def test_a_record_of_weight_zero_is_as_if_it_had_no_rationale(
    request: pytest.FixtureRequest, kind: str, mi: str
) -> None:
    model = make(request, kind, mi, critic="vocabulary")
    rows = rows_of(model.codec)
    if mi == "infonce":  # there it still is another record's wrong pair
        rows = rows[:2]
    batch = batch_of(model, rows)
    weights = torch.ones(len(rows))
    weights[1] = 0
    batch["rationale"]["weights"] = weights
    rows[1] = {**rows[1], "rationale_target": []}
    found, expected = model(**batch), model(**batch_of(model, rows))
    assert found["rationale_loss"].item() == pytest.approx(expected["rationale_loss"].item())
    if mi == "maxpool":
        assert found["mi_loss"].item() == pytest.approx(expected["mi_loss"].item())


@Kinds
def test_weights_count_tokens(request: pytest.FixtureRequest, kind: str) -> None:
    model = make(request, kind, "none")
    rows = rows_of(model.codec, 2)
    batch = batch_of(model, rows)
    batch["rationale"]["weights"] = torch.tensor([1.0, 0.25])
    alone = [model(**batch_of(model, [row]))["rationale_loss"].item() for row in rows]
    tokens = [len(row["rationale_target"]) for row in rows]
    expected = (alone[0] * tokens[0] + 0.25 * alone[1] * tokens[1]) / (tokens[0] + 0.25 * tokens[1])
    assert model(**batch)["rationale_loss"].item() == pytest.approx(expected, rel=1e-5)


@Kinds
@pytest.mark.parametrize("mi", ["maxpool", "paper", "none"])
def test_what_both_tasks_say_does_not_depend_on_what_is_trained(
    request: pytest.FixtureRequest, kind: str, mi: str
) -> None:
    model = make(request, kind, mi)
    batch = batch_of(model, rows_of(model.codec))
    found = model(**batch, wants_words=True)
    expected = make(request, kind, "maxpool")(**batch, wants_words=True)
    for name in ("label_words", "rationale_words"):
        assert torch.allclose(found[name], expected[name], atol=1e-4)
        assert torch.allclose(found[name].exp().sum(-1), torch.ones(6), atol=1e-5)
    assert found["is_pair"].all()


@Kinds
def test_a_share_of_beta_weighs_the_term_less(request: pytest.FixtureRequest, kind: str) -> None:
    model, half = make(request, kind, beta=0.2), make(request, kind, beta=0.1)
    batch = batch_of(model, rows_of(model.codec))
    found = model(**batch, beta_share=0.5)["loss"]
    assert found.item() == pytest.approx(half(**batch)["loss"].item())

"""Prompts that are read once for several continuations: nothing comes out otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mitools.student.base.open_base import open_checkpoint
from mitools.student.causal import (
    behind,
    can_share_prefix,
    causal_forward,
    common_prefix,
    is_close,
    read_prefix,
)
from mitools.student.codec import Codec, Pairs
from mitools.student.forward import shared_logits, target_logits, two_task_states
from mitools.student.local import LocalStudent
from tests.toys import toy_records

Kinds = pytest.mark.parametrize("kind", ["tiny_seq2seq", "tiny_causal"])
INPUTS = [record["input"] * (1 + index % 3) for index, record in enumerate(toy_records(5))]


@pytest.fixture
def base(tiny_causal: Path) -> Any:
    return open_checkpoint(str(tiny_causal), "tiny")


def tasks_of(codec: Codec) -> tuple[Pairs, Pairs]:
    found = []
    for purpose, text in (("label", "yes"), ("rationale", "some more words than that")):
        prompts = [codec.encode_prompt(purpose, one)[0] for one in INPUTS]  # type: ignore[arg-type]
        targets = [codec.encode_target(purpose, text * (1 + i % 2))[0] for i in range(len(INPUTS))]  # type: ignore[arg-type]
        found.append(codec.pad(prompts, targets))
    return found[0], found[1]


def test_both_tasks_begin_alike_where_the_prefix_stands_behind_the_input(base: Any) -> None:
    codec = Codec(base.tokenizer, "causal", prefix_position="after")
    label, rationale = (
        codec.encode_prompt(name, "Ann has 3.")[0] for name in ("label", "rationale")
    )
    # This tokenizer puts a space in front of whatever it encodes: a prompt is encoded at once.
    assert base.tokenizer.decode(label) == "Ann has 3.\npredict:\n"
    assert base.tokenizer.decode(rationale) == "Ann has 3.\nexplain:\n"
    tails = codec.count_tail("label"), codec.count_tail("rationale")
    assert label[: -tails[0]] == rationale[: -tails[1]]
    assert common_prefix(*tasks_of(codec), tails) is not None
    before = Codec(base.tokenizer, "causal")
    assert common_prefix(*tasks_of(before), (1, 1)) is None


def test_an_input_is_cut_at_the_same_place_for_both_tasks(base: Any) -> None:
    codec = Codec(base.tokenizer, "causal", 40, prefix_position="after")
    prompts = [codec.encode_prompt(name, "words " * 40) for name in ("label", "rationale")]
    assert all(is_cut for _, is_cut in prompts)
    assert max(len(ids) for ids, _ in prompts) == 40
    heads = [
        ids[: -codec.count_tail(name)]
        for (ids, _), name in zip(prompts, ("label", "rationale"), strict=True)
    ]
    assert heads[0] == heads[1]


def test_a_shared_prefix_changes_neither_states_nor_gradients(base: Any) -> None:
    codec = Codec(base.tokenizer, "causal", prefix_position="after")
    tasks = tasks_of(codec)
    tails = codec.count_tail("label"), codec.count_tail("rationale")
    found = []
    for shared in (tails, None):
        states = two_task_states(base.model.eval(), "causal", *tasks, shared)
        real = torch.cat([s[t.target_mask.bool()] for s, t in zip(states, tasks, strict=True)])
        real.square().sum().backward()
        grads = [p.grad.flatten() for p in base.model.parameters() if p.grad is not None]
        found.append((real.detach(), torch.cat(grads)))
        base.model.zero_grad()
    assert torch.allclose(found[0][0], found[1][0], atol=1e-5)
    assert (found[0][1] - found[1][1]).norm() < 1e-5 * found[1][1].norm()


def test_two_continuations_of_one_prefix_do_not_see_each_other(base: Any) -> None:
    codec = Codec(base.tokenizer, "causal")
    pairs = tasks_of(codec)[1]
    other = replace(
        pairs, target_ids=pairs.target_ids.flip(0), target_mask=pairs.target_mask.flip(0)
    )
    with torch.no_grad():
        prefix = read_prefix(base.model.eval(), pairs.prompt_ids[:, :-3], pairs.prompt_mask[:, :-3])
        first = causal_forward(base.model, behind(pairs, 3), prefix).logits
        causal_forward(base.model, behind(other, 3), prefix)
        again = causal_forward(base.model, behind(pairs, 3), prefix).logits
    assert torch.equal(first, again)


@Kinds
def test_prompts_that_are_read_once_give_the_logits_of_each_alone(
    request: pytest.FixtureRequest, kind: str
) -> None:
    opened = open_checkpoint(str(request.getfixturevalue(kind)), kind)
    codec, model = Codec(opened.tokenizer, opened.kind), opened.model.eval()
    prompts = [codec.encode_prompt("label", text)[0] for text in INPUTS]
    owners = [0, 0, 0, 2, 4, 4]
    targets = [codec.encode_target("label", "yes no maybe "[:size])[0] for size in range(6)]
    alone = codec.pad([prompts[owner] for owner in owners], targets)
    with torch.no_grad():
        found = shared_logits(model, codec.kind, codec.pad(prompts, targets), torch.tensor(owners))
        expected = target_logits(model, codec.kind, alone)
    real = alone.target_mask.bool()
    assert found.shape == expected.shape
    assert torch.allclose(found[real], expected[real], atol=1e-4)


def test_a_target_of_one_token_needs_no_second_pass(base: Any) -> None:
    codec = Codec(base.tokenizer, "causal")
    prompts = [codec.encode_prompt("label", text)[0] for text in INPUTS[:2]]
    pairs = codec.pad(prompts, [[1], [1], [1]])
    with torch.no_grad():
        found = shared_logits(base.model.eval(), "causal", pairs, torch.tensor([0, 1, 1]))
    assert found.shape[:2] == (3, 1)
    assert torch.equal(found[1], found[2])


# Who can share


def test_models_of_attention_alone_can_share(base: Any) -> None:
    base.model.train()
    assert can_share_prefix(base.model)
    assert base.model.training


def test_a_model_with_another_memory_shares_nothing_and_is_scored_all_the_same() -> None:
    from transformers import MambaConfig, MambaForCausalLM

    from mitools.student.base.scratch import build_scratch

    _, tokenizer = build_scratch(INPUTS, size="tiny")
    config = MambaConfig(
        vocab_size=len(tokenizer), hidden_size=16, state_size=4, num_hidden_layers=1, expand=1
    )
    model = MambaForCausalLM(config).eval()
    assert not can_share_prefix(model)


def test_a_model_that_answers_otherwise_when_it_shares_is_found(
    base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = base.model.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        output = plain(*args, **kwargs)
        if kwargs.keys() & {"cache", "past_key_values"}:
            output.logits = output.logits.roll(1, dims=-1)
        return output

    monkeypatch.setattr(base.model, "forward", forward)
    assert not can_share_prefix(base.model)


@Kinds
def test_scores_are_the_same_whether_or_not_prompts_are_shared(
    request: pytest.FixtureRequest, kind: str
) -> None:
    opened = open_checkpoint(str(request.getfixturevalue(kind)), kind)
    student = LocalStudent(opened.model, Codec(opened.tokenizer, opened.kind))
    choices = [["yes", "no", "perhaps so"]] * len(INPUTS)
    assert student.shares_prompts
    shared = student.score_choices(INPUTS, choices)
    student.__dict__["shares_prompts"] = False
    for one, other in zip(shared, student.score_choices(INPUTS, choices), strict=True):
        assert one == pytest.approx(other, abs=1e-4)


@pytest.mark.parametrize("strange", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_are_not_close(strange: float) -> None:
    logits = torch.tensor([[1.0, 2.0]])
    broken = torch.tensor([[1.0, strange]])
    assert is_close(logits + 1e-5, logits)
    assert not is_close(logits, broken)
    assert not is_close(broken, logits)
    assert not is_close(broken, broken)

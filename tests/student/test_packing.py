"""Rows in one sequence without padding: nothing comes out otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mitools.student import packing as packing_module
from mitools.student.base.open_base import open_checkpoint
from mitools.student.codec import Codec, Pairs
from mitools.student.forward import packed_hidden, packed_states, target_states
from mitools.student.instrument import Instrument
from mitools.student.local import LocalStudent
from mitools.student.packing import Rows, pack, pack_trees, packed_forward
from mitools.student.packing_trial import can_pack
from tests.toys import toy_records

INPUTS = [record["input"] * (1 + index % 3) for index, record in enumerate(toy_records(5))]


@pytest.fixture(autouse=True, params=[True, False], ids=["one by one", "one grid"])
def layout(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take rows one by one, as long ones on a CPU, and in one grid, as all on a GPU."""
    monkeypatch.setattr(packing_module, "_takes_rows_alone", lambda _lengths: request.param)


@pytest.fixture
def base(tiny_causal: Path) -> Any:
    return open_checkpoint(str(tiny_causal), "tiny")


def pairs_of(codec: Codec, purpose: Any, text: str, inputs: list[str] | None = None) -> Pairs:
    """Make pairs of different length; the first target is empty."""
    inputs = inputs or INPUTS
    prompts = [codec.encode_prompt(purpose, one)[0] for one in inputs]
    targets = [codec.encode_target(purpose, f"{text} " * i)[0] for i in range(len(inputs))]
    return codec.pad(prompts, [[], *targets[1:]])


def real(states: Tensor, pairs: Pairs) -> Tensor:
    return states[pairs.target_mask.bool()]


def gradients(model: Any) -> Tensor:
    found = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    model.zero_grad()
    return found


def test_states_and_gradients_are_those_of_padded_rows(base: Any) -> None:
    codec, model = Codec(base.tokenizer, "causal"), base.model.eval()
    passes = [pairs_of(codec, "label", "yes"), pairs_of(codec, "rationale", "some more words")]
    packed = [real(*pair) for pair in zip(packed_states(model, passes), passes, strict=True)]
    torch.cat(packed).square().sum().backward()
    packed_gradient = gradients(model)
    padded = [real(target_states(model, "causal", pairs), pairs) for pairs in passes]
    torch.cat(padded).square().sum().backward()
    padded_gradient = gradients(model)
    for one, other in zip(packed, padded, strict=True):
        assert len(one)
        assert torch.allclose(one, other, atol=1e-5)
    assert (packed_gradient - padded_gradient).norm() < 1e-5 * padded_gradient.norm()


def test_padding_is_not_computed_and_changes_nothing(base: Any) -> None:
    codec, model = Codec(base.tokenizer, "causal"), base.model.eval()
    pairs = pairs_of(codec, "label", "yes")
    wide = Pairs(
        *(torch.nn.functional.pad(one, (4, 0)) for one in (pairs.prompt_ids, pairs.prompt_mask)),
        *(torch.nn.functional.pad(one, (0, 7)) for one in (pairs.target_ids, pairs.target_mask)),
    )
    counts: list[int] = []
    model.base_model.register_forward_pre_hook(
        lambda _module, _args, kwargs: counts.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    (narrow,), (widened,) = packed_states(model, [pairs]), packed_states(model, [wide])
    assert torch.equal(real(narrow, pairs), real(widened, wide))
    tokens = int(pairs.prompt_mask.sum() + pairs.target_mask.sum())
    assert counts == [tokens, tokens]


@pytest.mark.parametrize(("lengths", "count"), [((70, 59), 2), ((70, 57), 1), ((128, 1), 2)])
def test_long_rows_are_taken_one_by_one(
    lengths: tuple[int, int], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    mask = (torch.arange(128) < torch.tensor(lengths)[:, None]).long()
    assert len(pack(Rows(mask, mask, (128,))).grids) == count


def test_a_row_does_not_see_the_rows_beside_it(base: Any) -> None:
    codec, model = Codec(base.tokenizer, "causal"), base.model.eval()
    pairs = pairs_of(codec, "label", "yes")
    ids = pairs.prompt_ids.clone()
    ids[[0, 1, 3, 4]] = ids[[0, 1, 3, 4]].roll(1, dims=1)
    (before,) = packed_states(model, [pairs])
    (after,) = packed_states(model, [replace(pairs, prompt_ids=ids)])
    assert torch.equal(before[2], after[2])
    assert not torch.allclose(before[3], after[3])


def test_branches_see_their_stem_and_themselves(base: Any) -> None:
    model = base.model.eval()
    trees = [([5, 6, 7], [[8, 9], [], [10, 11, 12]]), ([9, 4], [[8]])]
    packing, places = pack_trees(trees, model.device)
    states = packed_hidden(model, packing)
    for (stem, branches), (last, firsts) in zip(trees, places, strict=True):
        for branch, first in zip(branches, firsts, strict=True):
            alone = packed_hidden(model, pack(Rows.joined(_row([*stem, *branch]))))
            found = torch.cat([states[last : last + 1], states[first : first + len(branch)]])
            assert torch.allclose(found, alone[len(stem) - 1 :], atol=1e-5)


def _row(ids: list[int]) -> tuple[Tensor, Tensor]:
    return torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.long)


@pytest.mark.parametrize(
    ("length", "trains", "expected"),
    [(12, True, torch.float32), (12, False, torch.bfloat16), (257, True, torch.bfloat16)],
)
def test_short_rows_are_trained_in_float32_attention(
    length: int, trains: bool, expected: torch.dtype, base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()

    def attend(_module: Any, query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Any:
        found = torch.nn.functional.scaled_dot_product_attention(
            query, key, value, is_causal=True, enable_gqa=True
        )
        seen.add(found.dtype)
        return found.transpose(1, 2), None

    monkeypatch.setattr(packing_module, "AttentionInterface", lambda: {"sdpa": attend})
    packing = pack(Rows.joined(_row([5 + i % 40 for i in range(length)])))
    with torch.set_grad_enabled(trains), torch.autocast("cpu", dtype=torch.bfloat16):
        packed_hidden(base.model.train(), packing)
    assert seen == {expected}


@pytest.mark.parametrize("length", [12, 90])
def test_attention_in_float32_changes_less_than_bfloat16_rounds(
    length: int, base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [5 + i % 40 for i in range(length)]
    packing = pack(Rows.joined(_row(ids[:4]), _row(ids), _row(ids[::-1])))
    exact = packed_hidden(base.model.eval(), packing)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        wide = packed_hidden(base.model, packing)
        monkeypatch.setattr(packing_module, "_SHORT", 0)
        half = packed_hidden(base.model, packing)
    assert not torch.equal(wide, half)
    assert (wide - exact).norm() <= 1.1 * (half - exact).norm()


def test_attention_is_restored_even_after_a_failure(
    base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = base.model.eval()
    packing = pack(Rows.joined(_row([5, 6, 7])))
    packed_forward(model, packing)
    assert model.config._attn_implementation == "sdpa"

    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr(model, "forward", fail)
    with pytest.raises(RuntimeError):
        packed_forward(model, packing)
    assert model.config._attn_implementation == "sdpa"


def test_a_llama_can_pack_and_stays_in_training(base: Any) -> None:
    base.model.train()
    assert can_pack(base.model, 832)
    assert base.model.training


def test_a_window_shorter_than_the_rows_is_found(base: Any) -> None:
    base.model.config.sliding_window = 100
    assert can_pack(base.model, 100)
    assert not can_pack(base.model, 101)


def test_other_attention_is_not_replaced(base: Any) -> None:
    base.model.set_attn_implementation("eager")
    assert not can_pack(base.model, 100)


def test_a_state_space_model_does_not_pack() -> None:
    from transformers import MambaConfig, MambaForCausalLM

    config = MambaConfig(vocab_size=40, hidden_size=16, state_size=4, num_hidden_layers=1, expand=1)
    assert not can_pack(MambaForCausalLM(config), 100)


def test_a_model_whose_layers_mix_neighbours_is_found(base: Any) -> None:
    embed = base.model.get_input_embeddings()
    embed.register_forward_hook(lambda _module, _args, states: states + states.roll(1, dims=1))
    assert not can_pack(base.model, 100)


@pytest.mark.parametrize("budget", [1, 60, 100_000])
def test_scores_are_those_of_each_choice_read_alone(base: Any, budget: int) -> None:
    codec = Codec(base.tokenizer, "causal")
    choices = [["yes", "no", "perhaps so"], [""], ["a", "a b c d e f"], [], ["yes", "yes", "no"]]
    student = LocalStudent(base.model, codec, tokens_per_batch=budget)
    assert student.packs
    found = student.score_choices(INPUTS, choices)
    for text, row, scores in zip(INPUTS, choices, found, strict=True):
        assert scores == pytest.approx([_alone(base, codec, text, one) for one in row], abs=1e-4)


def _alone(base: Any, codec: Codec, text: str, choice: str) -> float:
    """Score a choice by a plain forward pass over its prompt and tokens."""
    prompt = codec.encode_prompt("label", text)[0]
    target = codec.encode_target("label", choice)[0]
    with torch.no_grad():
        logits = base.model.eval()(torch.tensor([[*prompt, *target]])).logits[0]
    rows = logits[len(prompt) - 1 : -1].log_softmax(-1)
    return float(rows.gather(-1, torch.tensor(target)[:, None]).sum())


def test_noise_reaches_the_prompts_of_a_student_that_packs(base: Any) -> None:
    student = LocalStudent(base.model, Codec(base.tokenizer, "causal"))
    choices = [["yes", "no"]] * len(INPUTS)
    plain = student.score_choices(INPUTS, choices)
    with Instrument(student).noise(INPUTS, 0.5, seed=0):
        noisy = student.score_choices(INPUTS, choices)
    assert student.packs
    for one, other in zip(plain, noisy, strict=True):
        assert one != pytest.approx(other, abs=1e-3)

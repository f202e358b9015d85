"""Noise on what a student reads, and what its answers hang on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers.processors import TemplateProcessing

from mitools.errors import StudentError
from mitools.evaluate.probes.attribution import rank_correlation, top_overlap
from mitools.student.base.open_base import open_checkpoint
from mitools.student.codec import Codec
from mitools.student.forward import target_logits
from mitools.student.instrument import Instrument, content_places
from mitools.student.local import LocalStudent
from tests.toys import toy_records

Kinds = pytest.mark.parametrize("kind", ["tiny_seq2seq", "tiny_causal"])
INPUTS = [record["input"] * (1 + index % 2) for index, record in enumerate(toy_records(5))]
CHOICES = [["yes", "no", "perhaps so"]] * len(INPUTS)


def student_of(request: pytest.FixtureRequest, kind: str, budget: int = 4096) -> LocalStudent:
    folder: Path = request.getfixturevalue(kind)
    base = open_checkpoint(str(folder), kind)
    codec = Codec(
        base.tokenizer,
        base.kind,
        max_input_tokens=64,
        max_label_tokens=8,
        max_rationale_tokens=8,
    )
    return LocalStudent(base.model, codec, tokens_per_batch=budget)


def answers(student: LocalStudent) -> list[Any]:
    labels, rationales = student.generate_labels(INPUTS), student.generate_rationales(INPUTS)
    return [
        *student.score_choices(INPUTS, CHOICES),
        *[(one.text, pytest.approx(one.log_prob, abs=1e-4)) for one in (*labels, *rationales)],
    ]


@Kinds
def test_content_is_the_input_alone(request: pytest.FixtureRequest, kind: str) -> None:
    codec = student_of(request, kind).codec
    for purpose in ("label", "rationale"):
        places = content_places(codec, purpose, INPUTS[0])
        prompt = codec.encode_prompt(purpose, INPUTS[0])[0]
        assert codec.decode(prompt[place] for place in places) == INPUTS[0]
        spans = list(places.values())
        assert (spans[0][0], spans[-1][1]) == (0, len(INPUTS[0]))
    assert list(content_places(codec, "label", INPUTS[0]).values()) == spans


@Kinds
def test_what_was_cut_off_is_no_content(request: pytest.FixtureRequest, kind: str) -> None:
    codec = student_of(request, kind).codec
    places = content_places(codec, "label", INPUTS[0] * 9)
    behind = codec.count_tail("label") or 1  # at least the end token
    assert max(places) == codec.max_input_tokens - behind - 1


@Kinds
def test_without_noise_everything_stays_as_it_was(
    request: pytest.FixtureRequest, kind: str
) -> None:
    student = student_of(request, kind)
    before = answers(student)
    with Instrument(student).noise(INPUTS, 0.0, seed=0):
        assert answers(student) == before
    with Instrument(student).noise(INPUTS, 1.0, seed=0):
        assert answers(student) != before
    assert answers(student) == before


@Kinds
def test_noise_does_not_depend_on_batching(request: pytest.FixtureRequest, kind: str) -> None:
    together, alone = student_of(request, kind), student_of(request, kind, budget=1)
    with Instrument(together).noise(INPUTS, 0.5, seed=0):
        expected = together.score_choices(INPUTS, CHOICES)
    for text, choices, row in zip(INPUTS, CHOICES, expected, strict=True):
        with Instrument(alone).noise([text], 0.5, seed=0):
            assert alone.score_choices([text], [choices])[0] == pytest.approx(row, abs=1e-3)


@Kinds
def test_inputs_that_are_cut_to_the_same_text_have_the_same_noise(
    request: pytest.FixtureRequest, kind: str
) -> None:
    student = student_of(request, kind)
    long = [INPUTS[0] + " and so on" * 30 + end for end in ("?", " and on?")]
    choices = CHOICES[:1]
    alone = []
    for text in long:
        with Instrument(student).noise([text], 0.5, seed=0):
            alone += student.score_choices([text], choices)
    with Instrument(student).noise(long, 0.5, seed=0):
        together = [student.score_choices([text], choices)[0] for text in long]
    assert alone[0] == pytest.approx(alone[1], abs=1e-4)
    assert together == [pytest.approx(row, abs=1e-4) for row in alone]


@Kinds
def test_another_seed_is_other_noise(request: pytest.FixtureRequest, kind: str) -> None:
    student = student_of(request, kind)
    found = []
    for seed in (0, 0, 1):
        with Instrument(student).noise(INPUTS, 0.5, seed):
            found.append(student.score_choices(INPUTS, CHOICES))
    assert found[0] == found[1] != found[2]


@Kinds
def test_noise_is_as_loud_as_it_says_and_leaves_the_frame_alone(
    request: pytest.FixtureRequest, kind: str
) -> None:
    student = student_of(request, kind)
    instrument, embed = Instrument(student), student.model.get_input_embeddings()
    seen: dict[str, torch.Tensor] = {}

    def note(_module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        seen["embeds"] = kwargs["inputs_embeds"]

    text = INPUTS[0] * 3
    differences = []
    for purpose in ("label", "rationale"):
        prompt = torch.tensor([student.codec.encode_prompt(purpose, text)[0]])
        with instrument.noise([text], 0.5, seed=3):
            handle = instrument._reader.register_forward_pre_hook(note, with_kwargs=True)
            (student.generate_labels if purpose == "label" else student.generate_rationales)([text])
            handle.remove()
            # A causal model reads its own tokens one by one, so look again at the whole prompt.
            handle = instrument._reader.register_forward_pre_hook(note, with_kwargs=True)
            with torch.inference_mode():
                instrument._reader(input_ids=prompt)
            handle.remove()
        plain = embed(prompt)[0].detach()
        places = list(content_places(student.codec, purpose, text))
        difference = seen["embeds"][0] - plain
        frame = [place for place in range(len(plain)) if place not in places]
        assert difference[frame].abs().max() == 0
        noise = difference[places]
        loudness = plain[places].square().mean().sqrt()
        assert noise.std().item() / loudness.item() == pytest.approx(0.5, rel=0.1)
        differences.append(noise)
    assert torch.allclose(*differences, atol=1e-6)  # the same in both passes


def test_noise_reaches_a_prompt_that_is_read_once_for_both_tasks(
    request: pytest.FixtureRequest,
) -> None:
    student = student_of(request, "tiny_causal")
    object.__setattr__(student.codec, "prefix_position", "after")
    before = answers(student)
    with Instrument(student).noise(INPUTS, 0.0, seed=0):
        assert answers(student) == before
    with Instrument(student).noise(INPUTS, 1.0, seed=0):
        assert answers(student) != before


def test_noise_reaches_a_prompt_that_begins_with_the_pad_token(
    request: pytest.FixtureRequest,
) -> None:
    """As where one token starts and ends texts, and pads them."""
    together, alone = (student_of(request, "tiny_causal", budget) for budget in (4096, 1))
    for student in (together, alone):
        tokenizer = student.codec.tokenizer
        tokenizer.pad_token = tokenizer.eos_token
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
            single="</s> $A", special_tokens=[("</s>", tokenizer.eos_token_id)]
        )
    assert together.codec.encode_prompt("label", "x")[0][0] == tokenizer.pad_token_id
    plain = together.score_choices(INPUTS, CHOICES)
    with Instrument(together).noise(INPUTS, 0.5, seed=0):
        answers(together)
        expected = together.score_choices(INPUTS, CHOICES)
    for text, choices, row, before in zip(INPUTS, CHOICES, expected, plain, strict=True):
        assert row != pytest.approx(before, abs=1e-3)
        with Instrument(alone).noise([text], 0.5, seed=0):
            assert alone.score_choices([text], [choices])[0] == pytest.approx(row, abs=1e-3)


@Kinds
def test_noise_that_never_arrives_is_noticed(request: pytest.FixtureRequest, kind: str) -> None:
    instrument = Instrument(student_of(request, kind))
    with (
        pytest.raises(StudentError, match="in a way that noise does not reach"),
        instrument.noise(INPUTS, 0.5, seed=0),
    ):
        pass


@Kinds
@pytest.mark.parametrize("is_mean", [True, False])
def test_attributions_are_finite_differences(
    request: pytest.FixtureRequest, kind: str, is_mean: bool
) -> None:
    student = student_of(request, kind)
    student.model.double()
    codec, instrument = student.codec, Instrument(student)
    text, target = INPUTS[0], "7 pears"
    (found,) = instrument.attributions("label", [text], [target], is_mean=is_mean)
    prompt, ids = codec.encode_prompt("label", text)[0], codec.encode_target("label", target)[0]

    def score(place: int, scale: float) -> float:
        def stretch(_ids: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
            changed = embeds.clone()
            changed[:, place] *= scale
            return changed

        with torch.no_grad(), instrument._reading(stretch):
            logits = target_logits(student.model, codec.kind, codec.pad([prompt], [ids]))
        picked = logits.double().log_softmax(-1)[0, range(len(ids)), ids]
        return float(picked.mean() if is_mean else picked.sum())

    step = 3e-3  # norms compute in float32 even here: a smaller one is lost in rounding
    for place, span in content_places(codec, "label", text).items():
        slope = (score(place, 1 + step) - score(place, 1 - step)) / (2 * step)
        assert found[span] == pytest.approx(slope, rel=0.01, abs=5e-4)


@Kinds
def test_attributions_do_not_depend_on_batching(request: pytest.FixtureRequest, kind: str) -> None:
    instrument = Instrument(student_of(request, kind))
    targets = [f"{index} pears" * (1 + index % 3) for index, _ in enumerate(INPUTS)]
    together = instrument.attributions("rationale", INPUTS, targets, is_mean=True)
    for text, target, row in zip(INPUTS, targets, together, strict=True):
        (alone,) = instrument.attributions("rationale", [text], [target], is_mean=True)
        assert alone == pytest.approx(row, abs=1e-5)


@Kinds
def test_the_sum_hangs_on_what_the_mean_hangs_on(request: pytest.FixtureRequest, kind: str) -> None:
    instrument = Instrument(student_of(request, kind))
    tokens = len(instrument.student.codec.encode_target("label", "7 pears")[0])
    found = [
        instrument.attributions("label", INPUTS[:1], ["7 pears"], is_mean=is_mean)[0]
        for is_mean in (False, True)
    ]
    scaled = {span: tokens * value for span, value in found[1].items()}
    assert found[0] == pytest.approx(scaled, rel=1e-3, abs=1e-6)
    rows = [np.abs(list(one.values())) for one in found]
    assert rank_correlation(*rows) == pytest.approx(1)
    assert top_overlap(*rows) == 1


def test_a_second_text_is_scored_behind_the_first(request: pytest.FixtureRequest) -> None:
    two = student_of(request, "tiny_seq2seq")
    one = student_of(request, "tiny_seq2seq")
    object.__setattr__(one.codec, "order", "rationale-label")
    text, told, label = INPUTS[0], "4 pears", "4"
    behind = Instrument(one).attributions("label", [text], [label], [told], is_mean=False)
    whole = one.codec.encode_first(told) + one.codec.encode_target("label", label)[0]
    first = one.codec.encode_first(told)
    prompt = one.codec.encode_prompt("label", text)[0]
    gradient = Instrument(two)._gradient_by_input
    (both,) = gradient([prompt], [[]], [whole], is_mean=False)
    (alone,) = gradient([prompt], [[]], [first], is_mean=False)
    expected = [a - b for a, b in zip(both, alone, strict=True)]
    places = content_places(one.codec, "label", text)
    assert list(behind[0].values()) == pytest.approx([expected[i] for i in places], abs=1e-5)


def test_a_tokenizer_without_offsets_is_refused(request: pytest.FixtureRequest) -> None:
    codec = student_of(request, "tiny_seq2seq").codec

    class Slow:
        is_fast = False

    object.__setattr__(codec, "tokenizer", Slow())
    with pytest.raises(StudentError, match="which characters a token covers"):
        content_places(codec, "label", "x")

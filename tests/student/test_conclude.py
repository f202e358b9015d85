"""Students that conclude: labels behind given rationales, and rationales that are drawn."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch

from mitools.errors import StudentError
from mitools.student.base.open_base import open_checkpoint
from mitools.student.codec import Codec
from mitools.student.forward import target_logits
from mitools.student.local import LocalStudent
from mitools.student.protocol import can_conclude, can_predict
from tests.toys import toy_records

Kinds = pytest.mark.parametrize("kind", ["tiny_seq2seq", "tiny_causal"])
INPUTS = [record["input"] * (1 + index % 3) for index, record in enumerate(toy_records(5))]
CHOICES = [["yes", "no", "perhaps so"], ["a", "b"], ["only one"], ["1", "2"], ["more", "fewer"]]
TOLD = ["few", "a few words", "", "many more words than fit " * 4, "few"]


def student_of(
    request: pytest.FixtureRequest, kind: str, budget: int = 4096, **options: Any
) -> LocalStudent:
    base = open_checkpoint(str(request.getfixturevalue(kind)), kind)
    torch.manual_seed(0)
    for weights in base.model.parameters():  # larger ones, so that texts differ
        if weights.dim() > 1:
            torch.nn.init.normal_(weights, std=0.4)
    options = {"concludes": True, **options}
    codec = Codec(base.tokenizer, base.kind, 512, 12, 20, **options)
    return LocalStudent(base.model, codec, tokens_per_batch=budget)


def read_alone(student: LocalStudent, text: str, told: str) -> tuple[list[int], list[int]]:
    """Encode by hand what a label is read behind: the prompt, and rationale with end token."""
    codec = student.codec
    end = codec.tokenizer.eos_token_id
    prompt = codec.encode_prompt("rationale", text)[0]
    rationale = codec.encode_target("rationale", told)[0]
    return prompt, rationale if rationale[-1] == end else [*rationale, end]


def next_log_probs(student: LocalStudent, prompt: list[int], said: list[int]) -> torch.Tensor:
    codec, model = student.codec, student.model.eval()
    with torch.no_grad():
        logits = target_logits(model, codec.kind, codec.pad([prompt], [[*said, 0]]))
    return logits[0, -1].float().log_softmax(-1)


@Kinds
def test_choices_behind_a_rationale_are_scored_as_one_record_at_a_time(
    request: pytest.FixtureRequest, kind: str
) -> None:
    student = student_of(request, kind)
    scores = student.score_choices(INPUTS, CHOICES, TOLD)
    for text, told, choices, row in zip(INPUTS, TOLD, CHOICES, scores, strict=True):
        prompt, context = read_alone(student, text, told)
        for choice, score in zip(choices, row, strict=True):
            said, total = list(context), 0.0
            for token in student.codec.encode_target("label", choice)[0]:
                total += next_log_probs(student, prompt, said)[token].item()
                said.append(token)
            assert score == pytest.approx(total, abs=1e-3)


@Kinds
def test_labels_behind_a_rationale_are_decoded_as_one_record_at_a_time(
    request: pytest.FixtureRequest, kind: str
) -> None:
    student = student_of(request, kind)
    generations = student.generate_labels(INPUTS, TOLD)
    assert len({one.text for one in generations}) > 1
    for text, told, generation in zip(INPUTS, TOLD, generations, strict=True):
        prompt, context = read_alone(student, text, told)
        said = list(context)
        for _ in range(generation.tokens):
            said.append(int(next_log_probs(student, prompt, said).argmax()))
        assert student.codec.decode(said[len(context) :]) == generation.text


@Kinds
def test_both_readings_are_those_of_students_that_have_one(
    request: pytest.FixtureRequest, kind: str
) -> None:
    student = student_of(request, kind)
    predicts = student_of(request, kind, concludes=False)
    concludes = student_of(request, kind, concludes=False, order="rationale-label")
    assert student.score_choices(INPUTS, CHOICES) == predicts.score_choices(INPUTS, CHOICES)
    assert student.generate_labels(INPUTS) == predicts.generate_labels(INPUTS)
    assert student.generate_rationales(INPUTS) == predicts.generate_rationales(INPUTS)
    assert student.generate_labels(INPUTS, TOLD) == concludes.generate_labels(INPUTS, TOLD)
    ours = student.score_choices(INPUTS, CHOICES, TOLD)
    theirs = concludes.score_choices(INPUTS, CHOICES, TOLD)
    for one, other in zip(ours, theirs, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    assert ours[0] != pytest.approx(student.score_choices(INPUTS, CHOICES)[0], abs=1e-3)


@Kinds
def test_several_rationales_of_an_input_change_no_score(
    request: pytest.FixtureRequest, kind: str
) -> None:
    inputs, choices = [text for text in INPUTS for _ in TOLD], [CHOICES[0]] * 25
    told = TOLD * len(INPUTS)
    alone = student_of(request, kind, 1).score_choices(inputs, choices, told)
    for budget in (300, 100_000):
        together = student_of(request, kind, budget).score_choices(inputs, choices, told)
        for one, other in zip(alone, together, strict=True):
            assert one == pytest.approx(other, abs=1e-3)
    labels = student_of(request, kind, 1).generate_labels(inputs, told)
    assert [one.text for one in student_of(request, kind).generate_labels(inputs, told)] == [
        one.text for one in labels
    ]


def test_an_encoder_reads_an_input_once_for_all_its_rationales(
    request: pytest.FixtureRequest,
) -> None:
    student = student_of(request, "tiny_seq2seq", 100_000)
    assert student.drops_rows  # both are tried out before rows are counted
    assert student.selects_positions
    rows: list[int] = []
    student.model.get_encoder().register_forward_hook(
        lambda _module, _args, output: rows.append(len(output[0]))
    )
    inputs = [text for text in INPUTS for _ in range(4)]
    student.score_choices(inputs, [CHOICES[0]] * 20, ["few", "a few", "so", "words"] * 5)
    student.sample_rationales(inputs, range(20))
    assert rows == [5, 5]


def test_a_head_reads_the_scored_positions_alone(request: pytest.FixtureRequest) -> None:
    student = student_of(request, "tiny_seq2seq", 100_000)
    assert student.selects_positions
    shapes: list[tuple[int, ...]] = []
    head = student.model.get_output_embeddings()
    head.register_forward_hook(lambda _module, _args, logits: shapes.append(tuple(logits.shape)))
    selected = student.score_choices(INPUTS, CHOICES, TOLD)
    tokens = [student.codec.encode_target("label", c)[0] for row in CHOICES for c in row]
    assert [shape[:2] for shape in shapes] == [(1, sum(map(len, tokens)))]
    student.__dict__["selects_positions"] = False
    for one, other in zip(selected, student.score_choices(INPUTS, CHOICES, TOLD), strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def test_a_model_that_works_behind_its_head_by_position_is_read_whole(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    student = student_of(request, "tiny_seq2seq")
    forward = type(student.model).forward

    def by_position(model: Any, *args: Any, **kwargs: Any) -> Any:
        output = forward(model, *args, **kwargs)
        output.logits = output.logits * torch.linspace(1, 2, output.logits.shape[1])[:, None]
        return output

    expected = student.score_choices(INPUTS, CHOICES, TOLD)
    student = student_of(request, "tiny_seq2seq")
    monkeypatch.setattr(type(student.model), "forward", by_position)
    assert not student.selects_positions
    assert student.score_choices(INPUTS, CHOICES, TOLD)[0] != pytest.approx(expected[0], abs=1e-3)


@Kinds
def test_a_causal_prompt_or_an_encoder_serves_all_draws(
    request: pytest.FixtureRequest, kind: str
) -> None:
    student = student_of(request, kind, 100_000)
    shared = student.sample_rationales([INPUTS[0]] * 6, range(6))
    alone = [student.sample_rationales([INPUTS[0]], [seed])[0] for seed in range(6)]
    assert [one.text for one in shared] == [one.text for one in alone]
    assert len({one.text for one in shared}) > 1


@Kinds
def test_samples_depend_on_input_and_seed_alone(request: pytest.FixtureRequest, kind: str) -> None:
    inputs = [text for text in INPUTS for _ in range(3)]
    seeds = [7 * place + 1 for place in range(len(inputs))]
    expected = student_of(request, kind, 1).sample_rationales(inputs, seeds)
    for budget in (200, 100_000):
        student = student_of(request, kind, budget)
        texts = [one.text for one in student.sample_rationales(inputs, seeds)]
        assert texts == [one.text for one in expected]
        backwards = student.sample_rationales(inputs[::-1], seeds[::-1])
        assert [one.text for one in backwards[::-1]] == texts
    again = student.sample_rationales(inputs, [seed + 1 for seed in seeds])
    assert [one.text for one in again] != texts


@Kinds
def test_a_model_that_only_generates_draws_the_same_samples(
    request: pytest.FixtureRequest, kind: str
) -> None:
    student = student_of(request, kind)
    inputs, seeds = [text for text in INPUTS for _ in range(2)], range(10)
    dropping = student.sample_rationales(inputs, seeds)
    student.__dict__["drops_rows"] = False
    whole = student.sample_rationales(inputs, seeds)
    assert [one.text for one in whole] == [one.text for one in dropping]
    for one, other in zip(whole, dropping, strict=True):
        assert (one.tokens, one.is_truncated) == (other.tokens, other.is_truncated)
        assert one.log_prob == pytest.approx(other.log_prob, abs=1e-3)


@Kinds
def test_a_cold_sample_is_the_greedy_text(request: pytest.FixtureRequest, kind: str) -> None:
    student = student_of(request, kind)
    cold = student.sample_rationales(INPUTS, range(5), temperature=1e-4)
    assert [one.text for one in cold] == [one.text for one in student.generate_rationales(INPUTS)]


@Kinds
def test_first_tokens_are_drawn_as_often_as_their_probability_says(
    request: pytest.FixtureRequest, kind: str
) -> None:
    student, n, temperature = student_of(request, kind, 1_000_000), 2_000, 0.7
    student.codec = Codec(student.codec.tokenizer, student.codec.kind, 512, 12, 1, concludes=True)
    drawn = student.sample_rationales([INPUTS[0]] * n, range(n), temperature)
    prompt = student.codec.encode_prompt("rationale", INPUTS[0])[0]
    log_probs = next_log_probs(student, prompt, [])
    chances = (log_probs / temperature).softmax(-1)
    ids = {round(log_probs[token].item(), 3): token for token in range(len(log_probs))}
    counts = Counter(ids[round(one.log_prob, 3)] for one in drawn if one.log_prob > -20)
    for token, chance in enumerate(chances.tolist()):
        if chance > 0.02:  # five standard errors
            spread = 5 * (chance * (1 - chance) / n) ** 0.5
            assert counts[token] / n == pytest.approx(chance, abs=spread)
    assert len(counts) > 3


def test_a_student_that_does_not_conclude_names_what_to_train(
    request: pytest.FixtureRequest,
) -> None:
    student = student_of(request, "tiny_causal", concludes=False)
    with pytest.raises(StudentError, match="before, or apart from, anything else") as caught:
        student.generate_labels(INPUTS, TOLD)
    assert caught.value.hint == 'train one with "--mi conclude" or "--order rationale-label"'
    with pytest.raises(StudentError, match="4 seeds for 5 inputs"):
        student.sample_rationales(INPUTS, range(4))
    concluding = student_of(request, "tiny_causal")
    with pytest.raises(StudentError, match="1 texts to continue from for 5 inputs"):
        concluding.score_choices(INPUTS, CHOICES, ["one"])


def test_metadata_states_which_readings_a_student_has() -> None:
    for metadata, predicts, concludes in (
        ({}, True, False),
        ({"order": "separate", "concludes": False}, True, False),
        ({"order": "separate", "concludes": True}, True, True),
        ({"order": "label-rationale"}, True, False),
        ({"order": "rationale-label", "concludes": False}, False, True),
    ):
        assert (can_predict(metadata), can_conclude(metadata)) == (predicts, concludes)

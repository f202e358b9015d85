"""Students of one pass: what comes second is scored and decoded behind what comes first."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
import torch

from mitools.errors import StudentError
from mitools.student import load_student, save_student
from mitools.student.base.open_base import open_checkpoint
from mitools.student.codec import Codec, Order
from mitools.student.forward import target_logits
from mitools.student.local import LocalStudent
from tests.toys import toy_records

Kinds = pytest.mark.parametrize("kind", ["tiny_seq2seq", "tiny_causal"])
INPUTS = [record["input"] * (1 + index % 3) for index, record in enumerate(toy_records(6))]
CHOICES = [["yes", "no", "perhaps so"]] * len(INPUTS)
FIRST = ["few", "a few words", "", "many more words than fit " * 4, "few", "so"]


def student_of(
    request: pytest.FixtureRequest, kind: str, order: Order, budget: int = 4096
) -> LocalStudent:
    base = open_checkpoint(str(request.getfixturevalue(kind)), kind)
    codec = Codec(base.tokenizer, base.kind, 512, 12, 20, order)
    return LocalStudent(base.model, codec, tokens_per_batch=budget)


def score_alone(student: LocalStudent, text: str, first: str, answer: str) -> float:
    """Score an answer token by token, each behind all that stands before it, unbatched."""
    codec, model = student.codec, student.model.eval()
    end = codec.tokenizer.eos_token_id
    purpose = "label" if codec.first == "rationale" else "rationale"
    prompt = codec.encode_prompt(purpose, text)[0]
    before = codec.encode_target(codec.first, first)[0]  # type: ignore[arg-type]
    before = before if before[-1] == end else [*before, end]
    answer_ids = codec.encode_target(purpose, answer)[0]  # type: ignore[arg-type]
    total = 0.0
    for place, token in enumerate(answer_ids):
        said = [*before, *answer_ids[:place], token]
        with torch.no_grad():
            logits = target_logits(model, codec.kind, codec.pad([prompt], [said]))
        total += logits[0, -1].log_softmax(-1)[token].item()
    return total


@Kinds
def test_choices_are_scored_behind_the_rationale(request: pytest.FixtureRequest, kind: str) -> None:
    student = student_of(request, kind, "rationale-label")
    found = student.score_choices(INPUTS, CHOICES, FIRST)
    for text, first, choices, scores in zip(INPUTS, FIRST, CHOICES, found, strict=True):
        expected = [score_alone(student, text, first, choice) for choice in choices]
        assert scores == pytest.approx(expected, abs=1e-3)
    other = student.score_choices(INPUTS, CHOICES, FIRST[::-1])
    assert found[0] != pytest.approx(other[0], abs=1e-4)


@Kinds
@pytest.mark.parametrize("order", ["label-rationale", "rationale-label"])
def test_the_second_text_is_decoded_behind_the_first(
    request: pytest.FixtureRequest, kind: str, order: Order
) -> None:
    student = student_of(request, kind, order)
    is_label = order == "rationale-label"
    ask = student.generate_labels if is_label else student.generate_rationales
    found = ask(INPUTS, FIRST)
    codec = student.codec
    for text, first, one in zip(INPUTS, FIRST, found, strict=True):
        prompt = codec.encode_prompt("label", text)[0]
        said = codec.encode_first(first)
        for _ in range(one.tokens):
            with torch.no_grad():
                logits = target_logits(student.model, codec.kind, codec.pad([prompt], [[*said, 0]]))
            said.append(int(logits[0, -1].argmax()))
        ids = said[len(codec.encode_first(first)) :]
        assert codec.decode(ids) == one.text
        assert one.is_truncated == (codec.tokenizer.eos_token_id not in ids)
    alone = [ask([text], [first])[0] for text, first in zip(INPUTS, FIRST, strict=True)]
    assert [one.text for one in alone] == [one.text for one in found]
    for one, other in zip(alone, found, strict=True):
        assert one.log_prob == pytest.approx(other.log_prob, abs=1e-3)


@Kinds
def test_a_student_that_is_handed_nothing_goes_on_from_its_own_words(
    request: pytest.FixtureRequest, kind: str
) -> None:
    student = student_of(request, kind, "rationale-label")
    rationales = [one.text for one in student.generate_rationales(INPUTS)]
    assert student.generate_labels(INPUTS) == student.generate_labels(INPUTS, rationales)
    own = student.score_choices(INPUTS, CHOICES)
    for one, other in zip(own, student.score_choices(INPUTS, CHOICES, rationales), strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    student = student_of(request, kind, "label-rationale")
    labels = [one.text for one in student.generate_labels(INPUTS)]
    assert student.generate_rationales(INPUTS) == student.generate_rationales(INPUTS, labels)


@Kinds
def test_what_comes_first_is_asked_as_in_two_passes(
    request: pytest.FixtureRequest, kind: str
) -> None:
    separate = student_of(request, kind, "separate")
    label_first = student_of(request, kind, "label-rationale")
    assert label_first.generate_labels(INPUTS) == separate.generate_labels(INPUTS)
    assert label_first.score_choices(INPUTS, CHOICES) == separate.score_choices(INPUTS, CHOICES)
    rationale_first = student_of(request, kind, "rationale-label")
    assert rationale_first.generate_rationales(INPUTS) == separate.generate_rationales(INPUTS)


@Kinds
def test_scores_behind_a_rationale_do_not_depend_on_batch_size(
    request: pytest.FixtureRequest, kind: str
) -> None:
    alone = student_of(request, kind, "rationale-label", 1).score_choices(INPUTS, CHOICES, FIRST)
    together = student_of(request, kind, "rationale-label", 10**6).score_choices(
        INPUTS, CHOICES, FIRST
    )
    for one, other in zip(alone, together, strict=True):
        assert one == pytest.approx(other, abs=1e-3)


def test_texts_to_continue_from_are_refused_where_nothing_is_continued(
    request: pytest.FixtureRequest,
) -> None:
    student = student_of(request, "tiny_causal", "separate")
    with pytest.raises(StudentError, match="--order rationale-label"):
        student.generate_labels(INPUTS, FIRST)
    with pytest.raises(StudentError, match="--order label-rationale"):
        student.generate_rationales(INPUTS, FIRST)
    first = student_of(request, "tiny_causal", "label-rationale")
    with pytest.raises(StudentError, match="before, or apart from"):
        first.score_choices(INPUTS, CHOICES, FIRST)
    with pytest.raises(StudentError, match="1 texts to continue from for 6 inputs"):
        first.generate_rationales(INPUTS, ["one"])


@Kinds
@pytest.mark.parametrize("order", ["label-rationale", "rationale-label"])
def test_a_folder_says_how_its_student_is_asked(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, order: Order
) -> None:
    student = student_of(request, kind, order)
    save_student(tmp_path / "s", student.model, student.codec, {})
    opened = load_student(tmp_path / "s")
    assert opened.metadata["order"] == order
    assert opened.codec.order == order
    assert opened.codec.prefix_position == "before"
    assert opened.generate_labels(INPUTS[:2]) == student.generate_labels(INPUTS[:2])


def test_a_folder_from_before_there_was_a_choice_makes_two_passes(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    student = student_of(request, "tiny_causal", "separate")
    save_student(tmp_path / "s", student.model, student.codec, {})
    path = tmp_path / "s" / "mitools.json"
    metadata = json.loads(path.read_text())
    for name, value in itertools.product(("order", "prefix_position"), ("sideways", 7, ["x"])):
        path.write_text(json.dumps({**metadata, name: value}))
        with pytest.raises(StudentError, match=f"{name}.*this mitools does not know"):
            load_student(tmp_path / "s")
    del metadata["order"], metadata["prefix_position"]
    path.write_text(json.dumps(metadata))
    codec = load_student(tmp_path / "s").codec
    assert (codec.order, codec.prefix_position) == ("separate", "before")

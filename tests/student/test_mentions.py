"""What a rationale may name next: its probability, and texts that begin with one another."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch

from mitools.student.codec import Codec
from mitools.student.local import LocalStudent
from mitools.student.mentions import apart, mention_ids
from tests.student.test_local import INPUTS, Kinds, student_of

BEGUN = ["It is", "So", "yes", ""]
TEXTS = [[" yes", " no", " perhaps"], [" ten", " two"], [""], ["yes", "yes"]]


def one_by_one(student: LocalStudent, text: str, begun: str, then: str) -> float:
    """Add up the log-probabilities of the tokens behind those of the beginning, slowly."""
    codec: Codec = student.codec
    prompt = codec.encode_prompt("rationale", text)[0]
    ids = codec.encode_target("rationale", begun + then)[0][:-1]
    model = student.model
    if codec.kind == "causal":
        logits = model(torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1]
    else:
        start = model.config.decoder_start_token_id
        logits = model(
            input_ids=torch.tensor([prompt]), decoder_input_ids=torch.tensor([[start, *ids]])
        ).logits[0, :-1]
    return float(logits.log_softmax(-1).gather(-1, torch.tensor(ids)[:, None]).sum())


@Kinds
def test_the_texts_are_scored_behind_the_beginning(
    request: pytest.FixtureRequest, kind: str
) -> None:
    student = student_of(request, kind, 200)
    student.model.eval()
    found = student.score_mentions(INPUTS[:2], BEGUN[:2], TEXTS[:2])
    with torch.inference_mode():
        for text, begun, texts, scores in zip(INPUTS, BEGUN, TEXTS, found, strict=False):
            slow = [one_by_one(student, text, begun, then) for then in texts]
            # Tokens that all texts share are left out of all scores alike.
            assert [one - scores[0] for one in scores] == pytest.approx(
                [one - slow[0] for one in slow], abs=1e-3
            )


@Kinds
def test_scores_of_mentions_do_not_depend_on_batch_size(
    request: pytest.FixtureRequest, kind: str
) -> None:
    texts = [TEXTS[0], TEXTS[1]] * 3
    alone = student_of(request, kind, 1).score_mentions(INPUTS[:6], BEGUN[:2] * 3, texts)
    together = student_of(request, kind, 9999).score_mentions(INPUTS[:6], BEGUN[:2] * 3, texts)
    for one, other in zip(alone, together, strict=True):
        assert one == pytest.approx(other, abs=1e-3)


@Kinds
def test_each_text_keeps_a_token_and_none_has_an_end(
    request: pytest.FixtureRequest, kind: str
) -> None:
    codec = student_of(request, kind, 1).codec
    contexts, targets = mention_ids(codec, BEGUN, TEXTS)
    for begun, texts, context, rows in zip(BEGUN, TEXTS, contexts, targets, strict=True):
        assert all(rows)
        whole = [codec.decode([*context, *row]) for row in rows]
        assert whole == [(begun + text).strip() for text in texts]
        assert codec.tokenizer.eos_token_id not in [token for row in rows for token in row]
    assert mention_ids(codec, ["It is"], [[]]) == ([[]], [[]])


@Kinds
def test_a_beginning_beyond_the_length_limit_tells_nothing(
    request: pytest.FixtureRequest, kind: str
) -> None:
    student = student_of(request, kind, 4096)
    [found] = student.score_mentions(INPUTS[:1], ["no " * 40], [["yes", "no"]])
    assert found[0] == found[1]
    assert math.isfinite(found[0])


@pytest.mark.parametrize(
    ("targets", "chances", "left"),
    [
        ([[1], [2]], [0.5, 0.25], [0.5, 0.25]),
        # [1] begins both others; [1, 2] is part of its own probability, and [1, 2, 3] of that.
        ([[1], [1, 2], [1, 2, 3]], [0.6, 0.4, 0.1], [0.2, 0.3, 0.1]),
        ([[1], [1, 2], [1, 3]], [0.6, 0.25, 0.25], [0.1, 0.25, 0.25]),
        ([[1], [1, 2], [1, 2]], [0.6, 0.25, 0.25], [0.35, 0.25, 0.25]),  # one text, twice
        ([[1, 2], [1]], [0.0, 0.5], [0.0, 0.5]),
        ([[1, 2], [1]], [0.5, 0.5], [0.5, 0.0]),
        ([[], [1]], [1.0, 0.5], [0.5, 0.5]),
    ],
)
def test_the_probability_of_a_longer_text_is_taken_off(
    targets: Sequence[Sequence[int]], chances: Sequence[float], left: Sequence[float]
) -> None:
    logs = [math.log(one) if one else -math.inf for one in chances]
    found = [math.exp(one) for one in apart(targets, logs)]
    assert found == pytest.approx(left)

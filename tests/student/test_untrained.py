from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mitools.errors import StudentError
from mitools.student.base.open_base import open_base, open_checkpoint
from mitools.student.codec import Codec
from mitools.student.local import LocalStudent
from mitools.student.untrained import has_random_weights, open_untrained

TEXTS = ["predict: 1 + 1?", "explain: 1 + 1?", "2", "One and one are 2."]


def weights(model: Any) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def are_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def trained(model: Any, tokenizer: Any, kind: Any, **metadata: Any) -> LocalStudent:
    """Make a student whose weights are not those of its base any more."""
    codec = Codec(tokenizer, kind, 64, 12, 20)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5)
    return LocalStudent(model, codec, metadata, tokens_per_batch=777)


def test_random_weights_are_those_that_training_began_with() -> None:
    base = open_base("scratch:tiny", lambda: TEXTS, seed=3)
    before = weights(base.model)
    student = trained(
        base.model, base.tokenizer, base.kind, base="scratch:tiny", options={"seed": 3}
    )
    found = open_untrained(student)
    assert are_equal(weights(found.model), before)
    assert found.codec is student.codec
    assert found.tokens_per_batch == 777
    other = open_untrained(LocalStudent(student.model, student.codec, {"base": "scratch:tiny"}))
    assert not are_equal(weights(other.model), before)


@pytest.mark.parametrize("kind", ["tiny_seq2seq", "tiny_causal"])
def test_a_checkpoint_is_opened_again(kind: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(kind)
    base = open_checkpoint(str(folder), kind)
    before = weights(base.model)
    student = trained(base.model, base.tokenizer, base.kind, base=str(folder))
    found = open_untrained(student)
    assert are_equal(weights(found.model), before)
    assert not are_equal(weights(student.model), before)
    assert found.metadata == student.metadata
    assert len(found.generate_labels(["1 + 1?"])) == 1


def test_a_base_that_is_gone_or_unknown_is_an_error(tiny_seq2seq: Path, tmp_path: Path) -> None:
    base = open_checkpoint(str(tiny_seq2seq), "tiny")
    student = trained(base.model, base.tokenizer, base.kind, base=str(tmp_path / "gone"))
    with pytest.raises(StudentError, match="gone"):
        open_untrained(student)
    unknown = LocalStudent(student.model, student.codec, {})
    with pytest.raises(StudentError, match="does not say what it was trained from"):
        open_untrained(unknown)


def test_a_base_of_another_kind_is_refused(tiny_seq2seq: Path, tiny_causal: Path) -> None:
    base = open_checkpoint(str(tiny_seq2seq), "tiny")
    student = trained(base.model, base.tokenizer, base.kind, base=str(tiny_causal))
    with pytest.raises(StudentError, match="is causal now, the student seq2seq"):
        open_untrained(student)


def test_only_scratch_has_random_weights() -> None:
    assert has_random_weights("scratch")
    assert has_random_weights("scratch:small")
    assert not has_random_weights("scratchy/model")

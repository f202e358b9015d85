"""How a student that concludes is described, and how what it reads is encoded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mitools.errors import StudentError
from mitools.student import load_student, save_student
from mitools.student.base.open_base import open_checkpoint
from mitools.student.codec import Codec
from mitools.student.sequence import join_targets

Kinds = pytest.mark.parametrize("kind", ["tiny_seq2seq", "tiny_causal"])


def codec_of(request: pytest.FixtureRequest, kind: str, concludes: bool) -> tuple[object, Codec]:
    base = open_checkpoint(str(request.getfixturevalue(kind)), kind)
    return base.model, Codec(base.tokenizer, base.kind, 512, 12, 8, concludes=concludes)


@Kinds
@pytest.mark.parametrize("concludes", [True, False])
def test_a_folder_records_whether_its_student_concludes(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, concludes: bool
) -> None:
    save_student(tmp_path / "s", *codec_of(request, kind, concludes), {})
    opened = load_student(tmp_path / "s", "cpu")
    assert opened.metadata["concludes"] is concludes
    assert opened.codec.concludes is concludes


def test_a_folder_without_the_field_does_not_conclude(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    save_student(tmp_path / "s", *codec_of(request, "tiny_causal", True), {})
    path = tmp_path / "s" / "mitools.json"
    metadata = json.loads(path.read_text())
    del metadata["concludes"]
    path.write_text(json.dumps(metadata))
    assert load_student(tmp_path / "s", "cpu").codec.concludes is False


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"concludes": "yes"}, "neither true nor false"),
        ({"concludes": 1}, "neither true nor false"),
        ({"concludes": None}, "neither true nor false"),
        ({"concludes": True, "order": "rationale-label"}, "exclude each other"),
    ],
    ids=["text", "number", "null", "one-pass"],
)
def test_a_field_that_makes_no_sense_is_refused(
    request: pytest.FixtureRequest, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    save_student(tmp_path / "s", *codec_of(request, "tiny_causal", False), {})
    path = tmp_path / "s" / "mitools.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(StudentError, match=message) as caught:
        load_student(tmp_path / "s", "cpu")
    assert caught.value.hint


@Kinds
@pytest.mark.parametrize("rationale", ["few", "many more words than fit " * 4, ""])
def test_a_context_is_what_training_puts_before_the_label(
    request: pytest.FixtureRequest, kind: str, rationale: str
) -> None:
    _, codec = codec_of(request, kind, True)
    context = codec.encode_context("rationale", rationale)
    assert context[-1] == codec.tokenizer.eos_token_id
    rationale_ids = codec.encode_target("rationale", rationale)[0]
    label_ids = codec.encode_target("label", "( 1 + 2 )")[0]
    joined = join_targets(
        codec.pad([[5]], [rationale_ids]), codec.pad([[5]], [label_ids]), context[-1]
    )
    real = joined.pairs.target_mask.bool()
    assert torch.equal(joined.pairs.target_ids[real], torch.tensor([*context, *label_ids]))


@Kinds
def test_an_input_is_cut_where_either_prompt_is_too_long(
    request: pytest.FixtureRequest, kind: str
) -> None:
    _, whole = codec_of(request, kind, False)
    codec = replace(whole, max_input_tokens=24)
    texts = ["2 + 3?", "word " * 40, ""]
    assert codec.are_cut(texts) == [False, True, False]
    assert codec.are_cut([]) == []
    assert not any(whole.are_cut(texts))

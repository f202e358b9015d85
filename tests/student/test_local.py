"""Asking a student: scores and decodings do not depend on batching."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from mitools.errors import StudentError, UsageError
from mitools.student import load_student, save_student
from mitools.student.base.open_base import open_base, open_checkpoint
from mitools.student.codec import Codec
from mitools.student.local import LocalStudent
from tests.toys import toy_records

Kinds = pytest.mark.parametrize("kind", ["tiny_seq2seq", "tiny_causal"])
INPUTS = [record["input"] * (1 + index % 3) for index, record in enumerate(toy_records(7))]
CHOICES = [["yes", "no", "perhaps so"], ["a", "b"]] * 3 + [["only one"]]


def student_of(request: pytest.FixtureRequest, kind: str, budget: int) -> LocalStudent:
    base = open_checkpoint(str(request.getfixturevalue(kind)), kind)
    codec = Codec(base.tokenizer, base.kind, max_label_tokens=12, max_rationale_tokens=20)
    return LocalStudent(base.model, codec, tokens_per_batch=budget)


@Kinds
def test_scores_do_not_depend_on_batch_size(request: pytest.FixtureRequest, kind: str) -> None:
    alone = student_of(request, kind, 1).score_choices(INPUTS, CHOICES)
    together = student_of(request, kind, 100_000).score_choices(INPUTS, CHOICES)
    assert [len(row) for row in together] == [len(row) for row in CHOICES]
    for one, other in zip(alone, together, strict=True):
        assert one == pytest.approx(other, abs=1e-3)


@Kinds
def test_scores_are_log_probabilities_of_whole_texts(
    request: pytest.FixtureRequest, kind: str
) -> None:
    student = student_of(request, kind, 4096)
    scores = student.score_choices(INPUTS[:1], [["yes", "no"]])[0]
    assert all(score < 0 for score in scores)
    assert sum(map(math.exp, scores)) <= 1


@Kinds
def test_generations_do_not_depend_on_batch_size(request: pytest.FixtureRequest, kind: str) -> None:
    alone = student_of(request, kind, 1).generate_rationales(INPUTS)
    together = student_of(request, kind, 100_000).generate_rationales(INPUTS)
    assert [g.text for g in alone] == [g.text for g in together]


@Kinds
def test_the_log_probability_of_a_generation_is_its_score(
    request: pytest.FixtureRequest, kind: str
) -> None:
    student = student_of(request, kind, 4096)
    found = student.generate_labels(INPUTS[:3])
    prompts = [student.codec.encode_prompt("label", text)[0] for text in INPUTS[:3]]
    for prompt, generation in zip(prompts, found, strict=True):
        assert generation.tokens <= 12
        ids = student.model.generate(
            torch.tensor([prompt]),
            max_new_tokens=12,
            do_sample=False,
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        )[0].tolist()
        skip = len(prompt) if student.codec.kind == "causal" else 1
        target = ids[skip:]
        expected = student.score_targets([prompt], [target])[0]
        assert generation.log_prob == pytest.approx(expected, abs=1e-2)


@Kinds
def test_a_student_in_training_stays_in_training(request: pytest.FixtureRequest, kind: str) -> None:
    student = student_of(request, kind, 4096)
    student.model.train()
    student.generate_labels(INPUTS[:1])
    student.score_choices(INPUTS[:1], CHOICES[:1])
    assert student.model.training


def test_a_cut_input_keeps_the_frame_of_its_prompt(tiny_causal: Path) -> None:
    tokenizer = open_checkpoint(str(tiny_causal), "tiny").tokenizer
    codec = Codec(tokenizer, "causal", max_input_tokens=16)
    ids, is_cut = codec.encode_prompt("rationale", "words " * 40)
    assert is_cut
    assert len(ids) == 16
    text = tokenizer.decode(ids)
    assert text.startswith("explain: ")
    assert text.endswith("\n")


def test_a_cut_target_has_no_end_token(tiny_causal: Path) -> None:
    tokenizer = open_checkpoint(str(tiny_causal), "tiny").tokenizer
    codec = Codec(tokenizer, "causal", max_rationale_tokens=5)
    ids, is_cut = codec.encode_target("rationale", "many more words than five")
    assert is_cut
    assert tokenizer.eos_token_id not in ids
    ids, is_cut = Codec(tokenizer, "causal").encode_target("rationale", "few")
    assert not is_cut
    assert ids[-1] == tokenizer.eos_token_id


def test_a_folder_without_a_student_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(StudentError, match="mitools train --save"):
        load_student(tmp_path)


def test_a_damaged_description_is_refused(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"kind": "seq2seq", "format": 99}'):
        (tmp_path / "mitools.json").write_text(text)
        with pytest.raises(StudentError):
            load_student(tmp_path)


def test_a_saved_student_answers_as_before(tmp_path: Path, tiny_causal: Path) -> None:
    base = open_checkpoint(str(tiny_causal), "tiny")
    codec = Codec(base.tokenizer, base.kind, 64, 12, 20)
    before = LocalStudent(base.model, codec).generate_labels(INPUTS)
    save_student(tmp_path / "s", base.model, codec, {"task": "equation"})
    student = load_student(tmp_path / "s")
    assert student.generate_labels(INPUTS) == before
    assert student.metadata["task"] == "equation"


@Kinds
def test_bfloat16_gives_nearly_the_same_scores_by_the_same_fast_paths(
    request: pytest.FixtureRequest, kind: str
) -> None:
    exact, student = student_of(request, kind, 4096), student_of(request, kind, 4096)
    student.convert(torch.bfloat16)
    assert {weights.dtype for weights in student.model.parameters()} == {torch.bfloat16}
    for name in ("shares_prompts", "packs", "drops_rows"):
        assert (
            getattr(student, name)
            == getattr(exact, name)
            is (name != "packs" or kind == "tiny_causal")
        )
    expected, found = (one.score_choices(INPUTS, CHOICES) for one in (exact, student))
    assert found != expected
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=0.1)
    assert all(one.log_prob <= 0 for one in student.generate_rationales(INPUTS))


def test_a_student_opens_in_bfloat16(tmp_path: Path, tiny_causal: Path) -> None:
    base = open_checkpoint(str(tiny_causal), "tiny")
    codec = Codec(base.tokenizer, base.kind, 64, 12, 20, concludes=True)
    save_student(tmp_path / "s", base.model, codec, {"task": "equation"})
    assert load_student(tmp_path / "s").dtype == torch.float32
    with pytest.raises(UsageError, match="fp32 or bf16, not 'fp16'"):
        load_student(tmp_path / "s", precision="fp16")  # type: ignore[arg-type]
    student = load_student(tmp_path / "s", precision="bf16")
    assert student.dtype == torch.bfloat16
    rationales = [one.text for one in student.generate_rationales(INPUTS)]
    assert len(student.generate_labels(INPUTS, rationales)) == len(INPUTS)
    assert len(student.sample_rationales(INPUTS, range(len(INPUTS)))) == len(INPUTS)
    assert len(student.score_choices(INPUTS, CHOICES, rationales)) == len(INPUTS)


def test_an_encoder_is_warm_started_on_both_sides(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel, BertTokenizer

    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "a",
        "b",
        "##c",
        "predict",
        "explain",
        ":",
    ]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    BertModel(config).save_pretrained(tmp_path)
    BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    base = open_base(f"encoder:{tmp_path}", list)
    assert base.kind == "seq2seq"
    codec = Codec(base.tokenizer, base.kind, 32, 4, 8)
    save_student(tmp_path / "s", base.model, codec, {})
    student = load_student(tmp_path / "s")
    assert len(student.score_choices(["a b"], [["a", "b"]])[0]) == 2
    assert student.generate_labels(["a b"])[0].tokens <= 4
    codec = Codec(base.tokenizer, base.kind, 32, 4, 8, "rationale-label")
    asked = LocalStudent(base.model, codec)
    behind = asked.generate_labels(["a b", "b", "a"], ["a", "b", "a b c"])
    alone = [
        asked.generate_labels([text], [why])[0].text
        for text, why in (("a b", "a"), ("b", "b"), ("a", "a b c"))
    ]
    assert [one.text for one in behind] == alone

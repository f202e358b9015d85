"""The model card: what it states about a student, from its metadata alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers.processors import TemplateProcessing

from mitools.student import load_student, save_student
from mitools.student.base.open_base import open_checkpoint
from mitools.student.codec import Codec
from mitools.train.card import write_model_card
from mitools.train.options import TrainOptions


def card(
    folder: Path,
    trained: list[str],
    kind: str = "seq2seq",
    *,
    concludes: bool = False,
    codec: Codec | None = None,
    **changes: Any,
) -> str:
    metadata = {
        "base": "google/flan-t5-small",
        "origin": {"base_model": "google/flan-t5-small", "license": "apache-2.0"},
        "kind": kind,
        "max_input_tokens": 512,
        "task": "equation",
        "trained": trained,
        "concludes": concludes,
        "options": TrainOptions(Path("x"), **changes).as_json(),
        "results": {"valid_accuracy": 0.25, "steps": 7},
        "data": {"records": {"train": 1200, "valid": 900}, "measured": 500},
    }
    write_model_card(folder, metadata, "mine", codec)
    return (folder / "README.md").read_text(encoding="utf-8")


def test_a_card_states_base_objective_data_and_metrics(tmp_path: Path) -> None:
    text = card(tmp_path, ["label", "rationale"], mi="maxpool", alpha=0.7, seed=3)
    assert text.startswith("---\nlibrary_name: transformers\n")
    front = text.split("---\n")[1]
    assert front.endswith("\nbase_model: google/flan-t5-small\nlicense: apache-2.0\n")
    assert "A student that answers and explains, trained by mitools" in text
    assert "For the prompt `predict: …` it answers. For the prompt `explain: …` it expl" in text
    assert "| objective | α 0.7 · label + 0.3 · rationale + β 0.1 · MI `maxpool` |" in text
    assert "| records | 1,200 train, 900 valid |" in text
    assert "| validation | accuracy 0.25 (records: 500) |" in text
    assert "| seed | 3 |" in text
    assert "The task of its labels is `equation`." in text


@pytest.mark.parametrize(
    ("beta", "middle"), [(None, ""), (0.2, " + β 0.2 · MI `conclude`")], ids=["alone", "distilled"]
)
def test_a_card_states_the_label_after_the_rationale(
    tmp_path: Path, beta: float | None, middle: str
) -> None:
    text = card(tmp_path, ["label", "rationale"], mi="conclude", beta=beta)
    parts = f"α 0.5 · label + 0.5 · rationale{middle} + γ 0.5 · label after the rationale"
    assert f"| objective | {parts} |" in text


def test_a_card_names_only_what_was_trained(tmp_path: Path) -> None:
    text = card(tmp_path, ["label"], alpha=1.0, lora=4)
    assert "explain: " not in text
    assert "A student that answers, trained by mitools on labels. For" in text
    assert "| objective | α 1.0 · label |" in text
    assert "| trained | label, by low-rank adapters of rank 4, merged into the weights |" in text


def test_a_card_states_the_order_of_one_pass(tmp_path: Path) -> None:
    text = card(tmp_path, ["label", "rationale"], order="rationale-label")
    prompt = "For the prompt `explain: …` it outputs the rationale, an end token, and the label."
    assert f"{prompt} The code below stops at that end token." in text


def test_a_card_says_that_its_code_does_not_print_the_second_label(tmp_path: Path) -> None:
    text = card(tmp_path, ["label", "rationale"], concludes=True, mi="conclude")
    second = "After the end token of its rationale it outputs a second label."
    assert f"{second} The code below stops at that end token." in text


def run_snippet(text: str, folder: Path, asked: str) -> list[str]:
    """Run the card's Python as it stands, and return what it prints."""
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(code.splitlines()) <= 10
    code = code.replace('"DIR"', repr(str(folder))).replace('"…"', repr(asked))
    printed: list[str] = []
    exec(code, {"print": lambda *words: printed.append(" ".join(words))})
    return printed


@pytest.mark.parametrize("base", ["tiny_seq2seq", "tiny_causal"])
@pytest.mark.parametrize(
    "changes",
    [{}, {"order": "label-rationale"}, {"prefix_position": "after"}],
    ids=["separate", "one-pass", "after"],
)
def test_the_snippet_answers_as_the_student_does(
    request: pytest.FixtureRequest, tmp_path: Path, base: str, changes: dict[str, Any]
) -> None:
    opened = open_checkpoint(str(request.getfixturevalue(base)), base)
    if opened.kind == "seq2seq" and "prefix_position" in changes:
        pytest.skip("a causal student only")
    codec = Codec(opened.tokenizer, opened.kind, 64, 8, 8, **changes)
    save_student(tmp_path, opened.model, codec, {})
    text = card(tmp_path, ["label", "rationale"], kind=opened.kind, **changes)
    asked = "Ann has 3 pears and gets 2. How many?"
    student = load_student(tmp_path, "cpu")
    expected = [f"predict {student.generate_labels([asked])[0].text}".strip()]
    if not changes.get("order"):
        expected.append(f"explain {student.generate_rationales([asked])[0].text}".strip())
    found = run_snippet(text, tmp_path, asked)
    assert [" ".join(line.split()) for line in found] == [" ".join(e.split()) for e in expected]


@pytest.mark.parametrize(
    "changes",
    [{}, {"order": "rationale-label"}, {"prefix_position": "after"}],
    ids=["separate", "one-pass", "after"],
)
def test_the_snippet_drops_the_end_token_that_a_tokenizer_adds(
    tiny_causal: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    """A prompt that ends with it has another answer."""
    opened = open_checkpoint(str(tiny_causal), "it")
    tokenizer = opened.tokenizer
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", tokenizer.eos_token_id)]
    )
    codec = Codec(tokenizer, "causal", 64, 8, 8, **changes)
    untie(opened.model)
    save_student(tmp_path, opened.model, codec, {})
    text = card(tmp_path, ["label", "rationale"], kind="causal", codec=codec, **changes)
    asked = "Ann has 3 pears and gets 2. How many?"
    student = load_student(tmp_path, "cpu")
    assert student.codec.tokenizer("x")["input_ids"][-1] == tokenizer.eos_token_id
    expected = [f"explain {student.generate_rationales([asked])[0].text}"]
    if not changes.get("order"):
        expected.insert(0, f"predict {student.generate_labels([asked])[0].text}")
    found = run_snippet(text, tmp_path, asked)
    assert [" ".join(line.split()) for line in found] == [" ".join(e.split()) for e in expected]
    assert all(len(line.split()) > 1 for line in found)


def untie(model: Any) -> None:
    """Let what comes next depend on the last token, which random tied weights only repeat."""
    embeddings = model.get_input_embeddings().weight.detach()
    model.config.tie_word_embeddings = False
    model.lm_head.weight = torch.nn.Parameter(embeddings.roll(60, 0))


def test_the_snippet_keeps_what_a_tokenizer_without_an_end_token_reads(
    tiny_causal: Path, tmp_path: Path
) -> None:
    codec = Codec(open_checkpoint(str(tiny_causal), "it").tokenizer, "causal")
    codec.tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="$A")
    tasks = ["label", "rationale"]
    with_codec = card(tmp_path, tasks, kind="causal", codec=codec)
    assert with_codec == card(tmp_path, tasks, kind="causal")
    assert "[:, :-1]" not in with_codec


def test_a_causal_student_is_served_and_another_is_exported(tmp_path: Path) -> None:
    served = card(tmp_path, ["label", "rationale"], kind="causal")
    assert "transformers serve DIR" in served
    assert "answered with the label. The system message" in served
    assert "cut an input at 512 tokens" in served
    served = card(tmp_path, ["rationale"], kind="causal")
    assert "and the system message `explain` is answered with the rationale." in served
    one_pass = card(tmp_path, ["label", "rationale"], kind="causal", order="rationale-label")
    assert "answered with the rationale.\n" in one_pass
    assert "system message" not in one_pass
    other = card(tmp_path, ["label"])
    assert "transformers serve" not in other
    assert "mitools export DIR --to ct2" in other
    assert 'for task in ["predict"]:' in other

"""CTranslate2 answers as the student does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch
from tokenizers.processors import TemplateProcessing

from mitools.export.options import ExportOptions, Quantization
from mitools.export.run import export_student
from mitools.student import load_student, save_student
from tests.toys import toy_records

pytest.importorskip("ctranslate2", reason="needs the extra ct2")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["seq2seq", "causal"])
def test_an_export_answers_alike(students: dict[str, Path], tmp_path: Path, kind: str) -> None:
    options = ExportOptions(target="ct2", out=tmp_path / "out")
    found = export_student(students[kind], toy_records(), options)
    assert found.equal == found.records == 24
    assert found.largest_difference < 1e-4
    assert (tmp_path / "out" / "model.bin").is_file()
    assert (tmp_path / "out" / "tokenizer.json").is_file()


@pytest.mark.filterwarnings("ignore")
def test_the_code_of_the_card_drops_the_end_token_that_a_tokenizer_adds(
    students: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    student = load_student(students["causal"], "cpu")
    tokenizer = student.codec.tokenizer
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", tokenizer.eos_token_id)]
    )
    # Random tied weights only repeat the last token; what comes next is to depend on it.
    embeddings = student.model.get_input_embeddings().weight.detach()
    student.model.config.tie_word_embeddings = False
    student.model.lm_head.weight = torch.nn.Parameter(embeddings.roll(60, 0))
    save_student(tmp_path / "student", student.model, student.codec, {})
    out = tmp_path / "out"
    export_student(tmp_path / "student", toy_records(), ExportOptions(target="ct2", out=out))
    _, _, usage = (out / "README.md").read_text().partition("To use it:")
    text = "How many are left?"
    exec(dedent(usage).replace("DIR", str(out)), {"text": text})
    expected = load_student(tmp_path / "student", "cpu").generate_labels([text])[0].text
    assert expected
    assert capsys.readouterr().out.strip().startswith(expected)


@pytest.mark.filterwarnings("ignore")
def test_8_bit_weights_are_smaller(students: dict[str, Path], tmp_path: Path) -> None:
    sizes = {}
    kinds: tuple[Quantization, ...] = ("none", "int8")
    for quantize in kinds:
        options = ExportOptions(target="ct2", out=tmp_path / quantize, quantize=quantize)
        export_student(students["seq2seq"], toy_records(), options)
        sizes[quantize] = (tmp_path / quantize / "model.bin").stat().st_size
    assert sizes["int8"] < sizes["none"] / 2


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("seq2seq", {}),
        ("seq2seq", {"order": "rationale-label"}),
        ("causal", {}),
        ("causal", {"prefix_position": "after"}),
    ],
)
def test_the_code_of_the_card_gives_the_students_answer(
    students: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    changes: dict[str, Any],
) -> None:
    student = load_student(students[kind], "cpu")
    codec = replace(student.codec, **changes)
    save_student(tmp_path / "student", student.model, codec, {})
    out = tmp_path / "out"
    export_student(tmp_path / "student", toy_records(), ExportOptions(target="ct2", out=out))
    _, _, usage = (out / "README.md").read_text().partition("To use it:")
    text = "How many are left?"
    exec(dedent(usage).replace("DIR", str(out)), {"text": text})
    asked = load_student(tmp_path / "student", "cpu")
    ask = asked.generate_labels if codec.first is None else asked.generate_rationales
    prompted = capsys.readouterr().out.strip()
    assert prompted.startswith(ask([text])[0].text)  # the code has no limit of 8 tokens

"""CTranslate2 answers as the student does."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitools.export.options import ExportOptions, Quantization
from mitools.export.run import export_student
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
def test_8_bit_weights_are_smaller(students: dict[str, Path], tmp_path: Path) -> None:
    sizes = {}
    kinds: tuple[Quantization, ...] = ("none", "int8")
    for quantize in kinds:
        options = ExportOptions(target="ct2", out=tmp_path / quantize, quantize=quantize)
        export_student(students["seq2seq"], toy_records(), options)
        sizes[quantize] = (tmp_path / quantize / "model.bin").stat().st_size
    assert sizes["int8"] < sizes["none"] / 2

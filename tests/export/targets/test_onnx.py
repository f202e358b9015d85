"""ONNX Runtime answers as the student does."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitools.export.options import ExportOptions
from mitools.export.run import export_student
from tests.toys import toy_records

for package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(package, reason="needs the extra onnx")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "files"),
    [("seq2seq", ["encoder_model.onnx", "decoder_model.onnx"]), ("causal", ["model.onnx"])],
)
def test_an_export_answers_alike(
    students: dict[str, Path], tmp_path: Path, kind: str, files: list[str]
) -> None:
    options = ExportOptions(target="onnx", out=tmp_path / "out", check_limit=10)
    found = export_student(students[kind], toy_records(), options)
    assert found.equal == found.records == 10
    assert found.largest_difference < 1e-4
    for name in (*files, "tokenizer.json", "config.json"):
        assert (tmp_path / "out" / name).is_file()

"""The options of export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mitools.errors import UsageError
from mitools.export.options import ExportOptions


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": "pickle"}, 'no export target "pickle"'),
        ({"target": "onnx", "quantize": "int8"}, "--to onnx cannot quantize to int8"),
        ({"target": "ct2", "check_limit": 0}, "must be at least 1, not 0"),
        ({"target": "ct2", "converter": Path("x.py")}, "--converter is for --to gguf, not ct2"),
    ],
)
def test_what_does_not_go_together_is_refused(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        ExportOptions(out=tmp_path / "out", **options).check()
    assert caught.value.hint


def test_an_existing_folder_is_replaced_only_when_asked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists"):
        ExportOptions(target="ct2", out=tmp_path).check()
    ExportOptions(target="ct2", out=tmp_path, overwrite=True).check()


@pytest.mark.parametrize("facts", [None, "{}", "[]", "{", '{"target": "ct2", "version": 1}'])
def test_a_folder_that_is_not_an_export_is_never_replaced(
    tmp_path: Path, facts: str | None
) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    if facts is not None:
        (tmp_path / "export.json").write_text(facts)
    with pytest.raises(UsageError, match="is not an export, so it is not replaced") as caught:
        ExportOptions(target="ct2", out=tmp_path, overwrite=True).check()
    assert caught.value.hint
    with pytest.raises(UsageError, match="is not an export"):
        ExportOptions(target="ct2", out=tmp_path / "thesis.tex", overwrite=True).check()

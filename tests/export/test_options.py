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

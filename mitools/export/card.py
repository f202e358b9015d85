"""The model card of an export: the student's, with what was converted and how it is used."""

from __future__ import annotations

import re
from pathlib import Path

from mitools.export.agreement import Agreement
from mitools.export.options import ExportOptions

__all__ = ["write_export_card"]

_SECTION = """
## Export

Converted for {title} ({weights}) and compared with the student on {records} records: {agreement}.
The sections above describe the student that it was made from.

To use it:

{usage}
"""
_WEIGHTS = {"none": "float32", "float16": "float16", "int8": "8-bit integers"}
_LIBRARIES = {"ct2": "ctranslate2", "gguf": "llama.cpp", "onnx": "onnx"}


def write_export_card(
    folder: Path, out: Path, options: ExportOptions, agreement: Agreement, words: tuple[str, str]
) -> None:
    """Write ``README.md`` of an export; license and base model of the student's card stay.

    Args:
        folder: of the student.
        out: of the export.
        options: of the export.
        agreement: how alike both answered.
        words: name of the runtime, and lines that say how to use the export.
    """
    card = folder / "README.md"
    text = card.read_text("utf-8") if card.is_file() else f"# {folder.resolve().name}\n"
    library = f"library_name: {_LIBRARIES[options.target]}"
    text = re.sub(r"\A(---\n(?:.*\n)*?)library_name: .*$", rf"\1{library}", text, flags=re.M)
    title, usage = words
    section = _SECTION.format(
        title=title,
        weights=_WEIGHTS[options.quantize],
        records=agreement.records,
        agreement=agreement,
        usage=usage.rstrip(),
    )
    (out / "README.md").write_text(text.rstrip() + "\n" + section, encoding="utf-8")

"""Plain technical English in what people read: help texts, messages and docstrings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "mitools").rglob("*.py"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("recipes/**/*.md"), *ROOT.glob("tests/**/*.md")])

BANNED = {
    r"\banew\b": "again",
    r"\bmend(?:s|ed|ing)?\b": "fix",
    r"\bwhat to do about\b": "how to handle",
    r"(?<!there )\b(?:is|are|was|were) no (?!more\b|longer\b|less\b|fewer\b|other\b)": "is not a",
    r"\bworked off\b": "processed",
    r"\bknows nothing of\b": "does not import",
    r"\b(?:says|said|saying) nothing\b": "",
    r"\bnobody's business\b": "",
    r"\bso much the\b": "",
    r"\bhangs? on\b": "depends on",
    r"\bheed(?:s|ed)?\b": "use",
}
# Prompts of models: another wording would be another measurement.
KEPT = ("length is no merit",)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Give the strings of a module: messages, help texts, docstrings."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def banned_in(text: str) -> list[str]:
    plain = " ".join(text.split()).lower()
    for phrase in KEPT:
        plain = plain.replace(phrase, "")
    return [found[0] for pattern in BANNED for found in re.finditer(pattern, plain)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_texts_in_the_code_use_plain_words(path: Path) -> None:
    found = [(line, word) for line, text in texts(path) for word in banned_in(text)]
    assert not found


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_use_plain_words(path: Path) -> None:
    assert not banned_in(path.read_text(encoding="utf-8"))


def test_banned_words_are_found_across_lines_and_others_are_not() -> None:
    assert banned_in("Mend the\nline; it is  no\n record.") == ["mend", "is no "]
    assert banned_in("There is no longer a limit. Recommended amendments, again.") == []

"""Fourth step for the task ``text``: read any short text, one sentence long."""

from __future__ import annotations

import re

from mitools.reading.answer import Choices, Found
from mitools.reading.notation import without_markup
from mitools.reading.sentences import first_sentence, sentence_ends

__all__ = ["TextReader"]

_WRAPPER = re.compile(r"\\(?:text|mathrm|textbf)\s?\{([^{}]{0,300})\}|\$(?!\d)|\\[()\[\]]")
_NOTHING = re.compile(r"(?:not|n't|cannot)\b", re.IGNORECASE)
_CUE = re.compile(r"\banswer\b", re.IGNORECASE)
_SIMPLE = re.compile(r"(?:simple|clear|obvious|as\s+follows|straightforward)\s*:\s*", re.IGNORECASE)


class TextReader:
    """Reads one sentence as it stands, without quotes around it and the period behind it."""

    def read(self, text: str, choices: Choices) -> Found:
        shown = _WRAPPER.sub(lambda found: found[1] or "", without_markup(text[:2000])).strip()
        simple = _SIMPLE.match(shown)
        shown = shown[simple.end() :] if simple else shown
        if _NOTHING.match(shown):
            return None
        return first_sentence(shown).strip("\"'").rstrip(".!").strip("\"' ") or None

    def read_exact(self, text: str, choices: Choices) -> Found:
        """Read one line of one sentence; anything longer is reasoning without an answer."""
        shown = text.strip()
        if _CUE.search(shown):
            return None  # a cue that states nothing
        end = next(sentence_ends(shown), len(shown))
        return self.read(shown, choices) if shown and end >= len(shown) else None

    def read_last(self, text: str, choices: Choices) -> Found:
        return None

"""Texts of records as styled text: excerpts, marked words, and the differences of two texts.

Texts from records are untrusted: control characters, which could drive a terminal, are escaped, and
no text is read as markup.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.text import Text

from mitools.escape import visible
from mitools.explain.excerpt import Limits, Omission, Part, excerpt
from mitools.explain.word_diff import DiffKind, word_diff

__all__ = ["INPUT", "LABEL", "RATIONALE", "Prose"]

RATIONALE = Limits()
INPUT = Limits(head=120, tail=90)
LABEL = Limits(head=30, tail=20)
_SHARED = Limits(head=12, tail=12, around=0)
_OWN = Limits(head=40, tail=30, around=0)

_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")
_DECIDED, _MATCH, _QUIET = "bold underline", "reverse", "dim"

_MARKS: dict[DiffKind, tuple[str, str, str]] = {
    "same": ("", "", ""),
    "removed": ("[-", "-]", "red"),
    "added": ("{+", "+}", "bold green"),
}
"""What stands around words of each kind, as ``git diff --word-diff`` writes it, and their style."""

Place = tuple[int, int]
Mark = tuple[int, int, str]


@dataclass(frozen=True)
class Prose:
    """Renders texts.

    Attributes:
        is_full: show long texts whole; otherwise their middle is left out.
        pattern: matches are highlighted, and shown where the middle is left out.
    """

    is_full: bool = False
    pattern: re.Pattern[str] | None = None

    def render(self, text: str, limits: Limits = RATIONALE, decided: Place | None = None) -> Text:
        """Render a text.

        Args:
            text: the text.
            limits: how much of a long text to show.
            decided: where the words begin and end that are to be marked.
        """
        marks: list[Mark] = [(*decided, _DECIDED)] if decided else []
        if self.pattern is not None:
            found = (match.span() for match in self.pattern.finditer(text))
            marks += [(begin, end, _MATCH) for begin, end in found if begin < end]
        prose = Text(overflow="fold")
        for part in self._parts(text, limits, [(begin, end) for begin, end, _ in marks]):
            if isinstance(part, Omission):
                prose.append(
                    f"\n… {part}{'' if '--full' in prose.plain else ' (--full)'} …\n", _QUIET
                )
            else:
                for begin, end, style in _pieces(part, marks):
                    prose.append(self._shown(text[begin:end]), style)
        return prose

    def _parts(
        self, text: str, limits: Limits, places: Sequence[Place]
    ) -> Iterator[Part | Omission]:
        """Yield what is shown, without the space at both ends of each part."""
        whole = Part(0, len(text))
        for part in [whole] if self.is_full else excerpt(text, limits, places):
            if isinstance(part, Part):
                words = text[part.begin : part.end]
                begin = part.begin + len(words) - len(words.lstrip())
                yield Part(begin, max(begin, part.begin + len(words.rstrip())))
            else:
                yield part

    def _shown(self, text: str) -> str:
        text = visible(text)
        return text if self.is_full else _BLANK_LINES.sub("\n\n", text)

    def difference(self, old: str, new: str) -> Text:
        """Render the words that turn one text into another: ``[-removed-]`` and ``{+added+}``."""
        parts = word_diff(old, new)
        if all(part.kind == "same" for part in parts):
            return Text("the same words", style=_QUIET)
        shown = Text(overflow="fold")
        for part in parts:
            before, behind, style = _MARKS[part.kind]
            shown.append(" " if part.is_apart and shown.plain else "")
            shown.append(before, style)
            limits = _SHARED if part.kind == "same" else _OWN
            for piece in self._parts(part.text, limits, ()):
                if isinstance(piece, Omission):
                    shown.append(f" … {_counted(piece, part.kind)} … ", _QUIET)
                else:
                    words = visible(part.text[piece.begin : piece.end])
                    shown.append(" ".join(words.split()), style)
            shown.append(behind, style)
        return shown


def _counted(omission: Omission, kind: DiffKind) -> str:
    return f"{omission.count:,} {'equal ' if kind == 'same' else ''}{omission.unit}s"


def _pieces(part: Part, marks: Sequence[Mark]) -> Iterator[Mark]:
    """Cut a part where the style changes; yield the pieces with their styles, in order."""
    inside = [(max(b, part.begin), min(e, part.end), style) for b, e, style in marks]
    waiting = deque(sorted(mark for mark in inside if mark[0] < mark[1]))
    ends = {part.begin, part.end, *(place for b, e, _ in waiting for place in (b, e))}
    open_marks: list[Mark] = []
    for begin, end in pairwise(sorted(ends)):
        open_marks = [mark for mark in open_marks if mark[1] > begin]
        while waiting and waiting[0][0] <= begin:
            open_marks.append(waiting.popleft())
        styles = dict.fromkeys(style for _, _, style in open_marks)
        yield begin, end, " ".join(styles)

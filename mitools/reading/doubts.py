"""Answers that are taken back: what stands behind them doubts or refutes them, or states another.

Such an answer is left unread; only a cue that states another answer is read in its place. Most
teachers go on behind an answer with reasons, so a doubt has to begin a sentence in one of few ways.
"""

from __future__ import annotations

import re

from mitools.expressions import parse_expression
from mitools.reading.answer import Choices, TaskReader
from mitools.reading.apart import forms_among
from mitools.reading.characters import fold
from mitools.reading.sentences import sentence_ends

__all__ = ["Doubter"]

_BEGIN = r"(?:^|[.!?\n])[*_\"')\s]{0,20}"
_LINKS = r"[\s,.:;!\u2013\u2014-]{1,4}"
_RETRACTS = re.compile(
    rf"{_BEGIN}(?:(?:oh|ah|no|but){_LINKS})?(?:wait|hmm+|hold\s+on|scratch\s+that|w?h?oops"
    r"|on\s+(?:further\s+|second\s+)?(?:reflection|thought|consideration)"
    r"|let\s+me\s+re-?(?:consider|think|check|do|evaluate|examine)"
    r"|my\s+(?:mistake|bad)|my\s+(?:\w+\s+)?answer\s+(?:is|was)\s+(?:wrong|incorrect)"
    rf"|(?:(?:sorry|apologies){_LINKS})?i\s+(?:made\s+an?\s+(?:\w+\s+)?(?:mistake|error)"
    r"|mis(?:read|counted|calculated|took)|was\s+wrong)"
    rf"|(?:sorry|apologies){_LINKS}(?:i\s+meant?|i\s+should\s+have)"
    r"|i\s+(?:would\s+like\s+to\s+|want\s+to\s+|have\s+to\s+|must\s+)?(?:change|revise|correct)"
    r"\s+my\s+(?:answer|mind))\b"
)
_DENIES = re.compile(r"\b(?:wrong|incorrect|mistaken?|not|no|cannot|better|instead|rather)\b|n't\b")
_CONFIRMS = re.compile(
    r"\b(?:same|correct|right|confirm(?:s|ed)?|indeed|stands?|still|consistent|holds?|yes)\b"
)
# "Actually, it should be 8", "No, (b)", "Rather, B is better": only with another answer.
_REPLACES = re.compile(
    rf"{_BEGIN}(?:(?:actually|rather|or\s+rather)[\s,:]{{1,4}}"
    r"|(?:no|sorry)\s?[,.:;!\u2013\u2014-]\s{0,9}){1,3}"
    r"(?:i\s+(?:think|believe|meant?)\s+(?:that\s+)?)?"
    r"(?:(?:it|that|this|the\s+(?:(?:correct|right|real|final|actual)\s+)?(?:answer|result|total))"
    r"(?:'s|\s+(?:is|was|must\s+be|should\s+be|should\s+have\s+been|has\s+to\s+be|would\s+be))\s+)?"
)
_IS_BETTER = re.compile(
    r"\s+(?:is|would\s+be|fits|seems)\s+(?:an?\s+|the\s+)?(?:much\s+|even\s+)?better\b"
)
_REFUTES = re.compile(
    r"(?:^|[.!?][*_\"')]{0,4}\s|\n)[*_\s]{0,20}(?:(?:so|thus|therefore|hence|then|but)[\s,]{1,2})?"
    r"(?:(?:the\s+|my\s+)?answer\s+(?:of\s+)?)?(?P<what>(?:[^.!?\n]|\.(?=\d)){1,80}?)\s+(?:is|was)\s+"
    r"(?:clearly\s+|actually\s+|therefore\s+)?(?:wrong|incorrect|mistaken|not\s+(?:right|correct))\b"
    r"(?!\s+(?:if|when|unless|only))"
)
_OF_REFUTING = ("wrong", "incorrect", "mistaken", "not right", "not correct")
_LONGEST = 200


class Doubter:
    """Tells whether an answer is taken back.

    Args:
        own: a completion's own part.
        folded: the same by :func:`~mitools.reading.characters.fold`.
        choices: the possible answers, if the record has some.
        reader: reads a statement for the task.
    """

    def __init__(self, own: str, folded: str, choices: Choices, reader: TaskReader) -> None:
        self._own = own
        self._folded = folded
        self._choices = choices
        self._reader = reader

    def takes_back(self, label: str, end: int) -> bool:
        """Return whether what stands behind an answer doubts it and then does not confirm it.

        Args:
            label: the answer.
            end: where its words end, with the mark that ends their sentence.
        """
        begin = max(0, end - 1)
        doubt = _RETRACTS.search(self._folded, begin)
        if doubt is not None:
            behind = self._folded[doubt.end() :]
            if _DENIES.search(behind):
                return True
            if _CONFIRMS.search(behind) is None and not _holds(behind, fold(label)):
                return True
        return self._replaces(label, begin) or self._refutes(label, begin)

    def _replaces(self, label: str, begin: int) -> bool:
        """Return whether a correction behind an answer states another one."""
        for found in _REPLACES.finditer(self._folded, begin):
            end = min(len(self._own), found.end() + _LONGEST)
            end = next(sentence_ends(self._own, found.end() + 1, end), end)
            better = _IS_BETTER.search(self._folded, found.end(), end)
            stated = self._own[found.end() : better.start() if better else end].strip()
            if self._is_equal(stated, label) is False:
                return True
        return False

    def _refutes(self, label: str, begin: int) -> bool:
        """Return whether a sentence says that the answer is wrong."""
        if not any(map(self._folded[begin:].__contains__, _OF_REFUTING)):
            return False
        refuted = (match.span("what") for match in _REFUTES.finditer(self._folded, begin))
        return any(self._is_equal(self._own[first:last], label) for first, last in refuted)

    def _is_equal(self, stated: str, label: str) -> bool | None:
        """Return whether a text is the answer; None where it is not one."""
        found = self._reader.read_exact(stated, self._choices)
        if not isinstance(found, str):
            return None
        if self._choices:
            form = forms_among(self._choices)
            return form(found) == form(label)
        first, second = parse_expression(found), parse_expression(label)
        # Where any text may be an answer, a sentence is not told from one.
        return None if first is None or second is None else first.value == second.value


def _holds(text: str, label: str) -> bool:
    """Return whether a text holds a label; a number not as a part of another number."""
    if not (label[:1].isdigit() or label[-1:].isdigit()):
        return label in text
    return re.search(rf"(?<![\d.]){re.escape(label)}(?!\d|[.,]\d)", text) is not None

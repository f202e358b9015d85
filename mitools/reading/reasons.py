"""The rationale of an answer: what stands before the sentence that states it, or else behind it.

Where one sentence holds both, its reasons are what stands before the cue or the box, or behind a
"because".
"""

from __future__ import annotations

import re
from itertools import chain, islice

from mitools.reading.answer import Statement
from mitools.reading.characters import fold
from mitools.reading.cues import find_cues, lead_of
from mitools.reading.fields import FieldAnswer
from mitools.reading.sentences import sentence_ends, sentence_start

__all__ = ["adds_words", "reasons_beside", "reasons_of"]

_FILLER = frozenset({"so", "thus", "therefore", "hence", "and", "then"})
_WORD = re.compile(r"[^\W_]+")
_HEADING = re.compile(
    r"[^\w\n]{0,20}(?:(?:(?:the|my)\s)?(?:final\s)?(?:answer|result|solution|conclusion)|explanation"
    r"|reasoning)?[^\w\n.!?)]{0,20}\Z",
    re.IGNORECASE,
)
_LETTERED = re.compile(r"\s*(?:option\s|choice\s)?\(?[A-Za-z][.):](?=\s)", re.IGNORECASE)
_FENCE = re.compile(r"```[\w-]{0,20}\s*\Z|~~~\s*\Z")
_WORDS = re.compile(r"\w+|[-+*/=]")
_LEADING = re.compile(
    r"\A[\s*_#>-]*(?:explanation|reasoning|rationale|reason|because)\s*:[*_]*\s*", re.IGNORECASE
)
# A word or a sum: what stands behind an answer may also be the end of its notation.
_TELLS = re.compile(r"[^\W\d_]{2}|[\d)]\s?[-+*/=\u00d7\u00f7]\s?[\d($]")
_MANY = 5
"""More words than this that the label does not hold are reasons."""

# Directly behind an answer or its unit; "as" has other senses, so behind a unit it needs a comma.
_BECAUSE = re.compile(
    r"[)\].*_$\"']{0,3}(?:(?:\s[^\W\d_]+){0,3}?[,;:]?\s\(?(?:because|since)|(?:\s[^\W\d_]+){0,3}?,\sas"
    r"|\sas(?!\s(?:well|such|follows|opposed|shown|stated|required|requested|expected|above|below"
    r"|before|far|long|soon|good|much|many|an?)\b))\s(?!of\b)(?=\S)",
    re.IGNORECASE,
)
_LETTER = re.compile(r"\(?[A-Za-z](?!\w)")
_FEW = 2
"""Words that behind a "because" are still no reason."""
_BOX_END = re.compile(r"[ \t$*_)\]}\\]*")
_APART = re.compile(r"[,;]?\s*(?:[:\u2013\u2014-]|because\b|since\b|as\b)\s+(?=\S)", re.IGNORECASE)
_LINKED = re.compile(
    r"(?:[,;(]\s*|\s|\A)(?:and\s+)?(?:so|thus|therefore|hence|(?:which|this|that)\s+(?:is|gives|makes"
    r"|means|leaves))(?:\s+[^\W\d_]+){0,5}\s*\Z",
    re.IGNORECASE,
)
_IS_REASONED = re.compile(
    r"\b(?:so|thus|therefore|hence|because|since|gives?|makes?|leaves?|means)\b|[\d)]\s?=|\d\s?[-+*/\u00d7\u00f7]\s?\d",
    re.IGNORECASE,
)


def reasons_of(text: str, folded: str, statement: Statement, label: str = "") -> str:
    """Take what stands before the sentence that states the answer, else what stands behind it.

    Args:
        text: the completion, cleaned and cut.
        folded: the same by :func:`~mitools.reading.characters.fold`.
        statement: what states the answer.
        label: the answer; empty if that is unclear.
    """
    if statement.rank == "statement":
        return text  # the last sentence of the reasoning belongs to it
    if statement.rank == "line" and "\n" not in text:
        return _behind_first(text, label)
    reasons = _without_heading(text[: sentence_start(text, statement.begin)])
    if not reasons and statement.rank == "boxed":
        reasons = _around_box(text, folded, statement, label)
    elif not reasons:
        reasons = _behind(text, folded, statement, label) or _before_cue(text, folded, statement)
    first, second = islice(chain(_WORD.finditer(reasons), (None, None)), 2)
    is_filler = first is None or (second is None and first[0].lower() in _FILLER)
    return "" if is_filler else reasons


def _behind(text: str, folded: str, statement: Statement, label: str) -> str:
    """Take the reasons behind an answer: from a "because" in its sentence, or the next one on."""
    stop = next(sentence_ends(text, statement.stated + 1, statement.end), statement.end)
    place = _because(text, folded, statement, label) if statement.rank == "cue" and label else None
    if place is not None and place < stop and adds_words(text[place:], label, _FEW):
        return _told(text[place:])
    return _told(text[stop:])


def _because(text: str, folded: str, statement: Statement, label: str) -> int | None:
    """Return where the text behind a "because" begins that follows the answer behind a cue."""
    told = folded.find(fold(label), statement.stated, statement.end)
    end = told + len(label)
    if told < 0:
        letter = _LETTER.match(text, statement.stated)
        if letter is None:
            return None
        end = letter.end()
    because = _BECAUSE.match(text, end)
    return None if because is None else because.end()


def _before_cue(text: str, folded: str, statement: Statement) -> str:
    """Take what stands before a cue in its sentence, but not two words, such as "He said"."""
    lead = text[: lead_of(folded, statement.begin)].strip(" ,;\n")
    is_reason = _IS_REASONED.search(text[: statement.begin]) or adds_words(lead, "", 2)
    return lead if is_reason else ""


def _around_box(text: str, folded: str, statement: Statement, label: str) -> str:
    """Take what stands before a box in its sentence, or behind it where that tells no reasons."""
    lead = text[: statement.stated]
    before = _before_box(text, folded, statement)
    is_reasoned = _IS_REASONED.search(lead) is not None and adds_words(before, label, 1)
    behind = "" if is_reasoned else _behind_box(text, statement, label)
    if is_reasoned or (not behind and adds_words(before, label, _MANY)):
        return before
    return behind


def _before_box(text: str, folded: str, statement: Statement) -> str:
    """Take what stands before a box, without its cue, its "so we get" and an open formula."""
    lead = text[: statement.stated]
    opening = next((sign for sign in _OPENINGS if lead.endswith(sign)), "")
    lead = lead[: len(lead) - len(opening)].rstrip(_AROUND_BOX)
    for cue in reversed(find_cues(folded[: statement.stated])):
        if cue.end >= len(lead):
            lead = lead[: lead_of(folded, cue.begin)]
            break
    else:
        lead = lead if opening else _without_opening(lead, text[statement.end :][:6].lstrip(" \n}"))
    return _LINKED.sub("", lead.rstrip(_AROUND_BOX)).strip(_AROUND_BOX)


_OPENINGS = ("$$", "$", "\\(", "\\[")


def _without_opening(lead: str, behind: str) -> str:
    """Drop the sign that opens the formula around a box, where it closes behind the box."""
    for sign, closing in zip(_OPENINGS, ("$$", "$", "\\)", "\\]"), strict=True):
        is_open = (
            lead.count(sign) % 2 if sign == closing else lead.count(sign) > lead.count(closing)
        )
        if is_open and (sign != closing or behind.startswith(sign)):
            return "".join(lead.rpartition(sign)[::2])
    return lead


_AROUND_BOX = " \t\n,;:=*_("


def _behind_box(text: str, statement: Statement, label: str) -> str:
    """Take the reasons behind a box; what ends its sentence is most often a unit."""
    stop = next(sentence_ends(text, statement.end), len(text))
    end = _BOX_END.match(text, statement.end)
    begin = end.end() if end else statement.end
    apart = _APART.match(text, begin)
    if apart is not None and not adds_words(text[apart.end() :], label, _FEW):
        apart = None
    rest = text[begin:stop].strip(" ,;:")
    behind = _told(text[apart.end() if apart else stop :])
    return behind or (rest if adds_words(rest, label, _MANY) else "")


def _told(behind: str) -> str:
    """Return what stands behind an answer, without a heading; empty if it has no word or sum."""
    behind = _LEADING.sub("", behind.strip())
    return behind if _TELLS.search(behind) else ""


def _behind_first(text: str, label: str) -> str:
    """Return the reasons behind an answer that begins the only line: ``B. Because …``."""
    letter = _LETTERED.match(text)
    end = letter.end() if letter else next(sentence_ends(text), len(text))
    behind = text[end:].strip()
    if behind:
        return behind
    return text if adds_words(text, label, _MANY) else ""


def adds_words(text: str, label: str | None, count: int = 0) -> bool:
    """Return whether a text holds more than ``count`` words or signs that its label does not."""
    known = set(_WORDS.findall(fold(label or "")))
    added = (match for match in _WORDS.finditer(fold(text)) if match[0] not in known)
    return next(islice(added, count, None), None) is not None


def _without_heading(text: str) -> str:
    """Drop a heading that stands above the answer: ``**Final Answer**``."""
    text = text.rstrip()
    for _ in range(3):
        begin = text.rfind("\n") + 1
        if not _HEADING.match(text, begin) or not text:
            break
        text = text[:begin].rstrip()
    return text.strip()


def reasons_beside(own: str, field: FieldAnswer) -> str:
    """Take the reasons in the object of an answer, else what stands before or behind it."""
    if field.rationale:
        return field.rationale.strip()
    before = _FENCE.sub("", own[: field.begin]).strip()
    return before or _FENCE.sub("", own[field.end :]).strip(" \n`")

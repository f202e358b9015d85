"""Third step: find the places that may state the answer, the surest first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mitools.reading.answer import RANKS, Statement
from mitools.reading.cues import Cue
from mitools.reading.notation import boxed_in, other_box
from mitools.reading.sentences import has_one_sentence, last_sentence, sentence_ends, sentence_start

__all__ = ["last_line", "statements"]

_FENCE = re.compile(r"[ \t]*(?:`{3,}|~{3,})[\w+-]*[ \t]*\Z")
_BULLET = re.compile(r"[ \t>|]*(?:[-*+\u2022\u2013\u00b7](?=[ \t])[ \t]*)?(?:#{1,6}[ \t]+)?")
_NUMBERED = re.compile(r"[ \t>]*\d{1,2}[.)][ \t]+\S")
_LIKE_ANSWER = re.compile(r"[($-]{0,3}\d|\(?[A-Z][).]?\s*\Z")
_ROW = re.compile(r"[ \t>*_|+-]{0,8}(?:option\s|choice\s)?\(?([A-Ja-j])[).:]", re.IGNORECASE)
_SHORT = 60
_WHOLE = re.compile(r"[.!?\u3002\uff01\uff1f][\"')\]*_`$\s]*\Z")
_DECORATION = re.compile(r"[\s*_`>#|$\\()\[\]{}~=:\-]*\Z")
_REFUTED = re.compile(
    r"\b(?:is|was|are|would\s+be|seems)\s+(?:\w+\s+)?(?:wrong|incorrect|mistaken|not\s+(?:right|correct|true"
    r"|the\s+answer|possible))\b|\binstead\s*(?:[.!]|\Z)"
)
_REFUTED_AFTER = re.compile(
    r"\b(?:but|though|although|however|yet)\b.{0,20}\b(?:is|was|seems)\s+(?:\w+\s+)?(?:wrong|incorrect"
    r"|mistaken|not\s+(?:right|correct|true))\b|\binstead\s*(?:[.!]|\Z)"
)
_OF_REFUTING = ("wrong", "correct", "mistaken", "right", "true", "answer", "possible", "instead")
_CORRECTED = re.compile(
    r"(?:wrong|incorrect|not\s+right|not\s+correct)\W{1,3}(?:\w+\s+)?(?:it|that|the\s+\w+\s+one)\s+(?:is|should\s+be)\s"
)
_EMOJI = re.compile("^[\u2600-\u27bf\U0001f000-\U0001faff\ufe0f\u2190-\u21ff\\s]{1,8}")


def statements(text: str, folded: str, cues: Iterable[Cue], loosest: str) -> Iterator[Statement]:
    """Yield the places in the order of their ranks; those of one rank from the last to the first.

    Args:
        text: the completion, cleaned and cut.
        folded: the same by :func:`~mitools.reading.characters.fold`.
        cues: those in it that count, from the last to the first.
        loosest: the last rank that is wanted; ``field`` is not given here.
    """
    allowed = RANKS[: RANKS.index(loosest) + 1]
    if "boxed" in allowed and (boxed := boxed_in(text)):
        begin, end, held = boxed
        other = other_box(text, begin, held)
        held = held if other is None else f"{other} or {held}"
        yield Statement("boxed", held, sentence_start(text, begin), end, begin)
    if "hashes" in allowed and "####" in text:
        yield from _hashes(text)
    if "cue" in allowed:
        for cue in cues:
            yield from _of_cue(text, folded, cue)
    if "line" in allowed:
        yield from _bare_lines(text)
    if "statement" in allowed:
        begin, sentence = last_sentence(text)
        stated = _BULLET.sub("", sentence.strip(), count=1)
        # A cue that is cut off, or repeated many times, comes from a model that loops.
        is_whole = _WHOLE.search(text, max(0, len(text) - 8)) is not None or (
            begin == 0 and len(text) <= _SHORT
        )
        if is_whole and not _NUMBERED.match(stated) and stated not in text[:begin]:
            yield Statement("statement", stated, begin, len(text), begin)


def _hashes(text: str) -> Iterator[Statement]:
    begin = text.rfind("####")
    if text[begin - 1 : begin] == "#":
        begin = text.rfind("\n", 0, begin) + 1
    line, _, below = text[begin:].partition("\n")
    stated = line.lstrip("# \t")
    # With text below it, it is a heading, unless it looks like an answer and is the only one.
    is_answer = not below.strip() or (
        text.find("####") >= begin and _LIKE_ANSWER.match(stated) is not None
    )
    if stated and is_answer:
        yield Statement("hashes", stated, begin, begin + len(line), begin, is_exact=True)


def _of_cue(text: str, folded: str, cue: Cue) -> Iterator[Statement]:
    stated, end, is_below = _behind(text, cue.end)
    if not stated or (is_below and _NUMBERED.match(stated)):
        return
    begin = cue.begin
    stop = _first_end(text, cue.end, end)
    sentence = folded[cue.end : stop]
    if sentence.rstrip("\"')* ").endswith("?"):
        return
    refuted = _REFUTED if cue.is_direct else _REFUTED_AFTER
    if any(map(sentence.__contains__, _OF_REFUTING)) and refuted.search(sentence):
        corrected = _CORRECTED.search(folded, cue.end, end)
        if corrected is not None:
            place = corrected.end()
            yield Statement("cue", text[place:end], begin, end, place)
        return
    # What is stated may begin on a line below its cue.
    place = text.index(stated, cue.end, end)
    if cue.is_negated:
        yield Statement("cue", f"not {stated}", begin, end, place)
        return
    is_whole = (
        not cue.is_label
        or "final" in folded[cue.begin : cue.end]
        or (stop >= end and not text[end:].strip())
    )
    yield Statement("cue", stated, begin, end, place, is_exact=True)
    if is_whole:
        yield Statement("cue", stated, begin, end, place)


def _first_end(text: str, begin: int, end: int) -> int:
    if has_one_sentence(text[begin : min(end, begin + 400)]):
        return end
    return next(sentence_ends(text, begin, min(end, begin + 400)), end)


def _behind(text: str, begin: int) -> tuple[str, int, bool]:
    """Return the text behind a cue on its line, or the next line that is not empty.

    Returns:
        The text, where it ends, and whether it stands on a line below.
    """
    place = begin
    for number in range(8):
        end = text.find("\n", place)
        end = len(text) if end < 0 else end
        line = text[place : min(end, place + 2000)]
        if number:
            line = line[_bullet_end(line) :]
        line = line if line.isascii() else _EMOJI.sub("", line)
        if not _FENCE.match(line) and not _DECORATION.match(line):
            return line.strip(" \t:"), end, number > 0
        if end == len(text):
            break
        place = end + 1
    return "", begin, False


def _bullet_end(line: str) -> int:
    match = _BULLET.match(line)
    return match.end() if match else 0


def _bare_lines(text: str) -> Iterator[Statement]:
    """Yield the first and the last line; where both are answers they have to agree."""
    head = text[:2000]
    first = head.partition("\n")[0] if "\n" in head else head
    if "\n" not in text:
        yield Statement("line", first[_bullet_end(first) :].strip(), 0, len(text), 0, is_exact=True)
        return
    begin = _last_begin(text)
    is_one_of_headings = first.startswith("#") and "\n#" in text
    if not is_one_of_headings and not _is_row(first, text[len(first) :].lstrip()):
        line = first[_bullet_end(first) :].strip()
        yield Statement("line", line, 0, len(first), 0, is_exact=True)
    above = text[:begin].rstrip()
    if not _is_row(text[begin : begin + 80], above[above.rfind("\n") + 1 :]):
        yield Statement("line", last_line(text), begin, len(text), begin, is_exact=True)


def _is_row(line: str, neighbour: str) -> bool:
    """Return whether a line is one of a list of options: the one beside it has another letter."""
    own = _ROW.match(line)
    other = None if own is None else _ROW.match(neighbour[:80])
    return own is not None and other is not None and own[1].lower() != other[1].lower()


def _last_begin(text: str) -> int:
    stop = len(text.rstrip(" \t\r\n`$\\])*_"))
    return text.rfind("\n", 0, stop) + 1


def last_line(text: str) -> str:
    """Return the last line that holds words, without its bullet."""
    begin = _last_begin(text)
    last = text[begin : begin + 2000].partition("\n")[0]
    return last[_bullet_end(last) :].strip()

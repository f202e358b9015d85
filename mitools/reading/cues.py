"""Cues: the words that announce an answer, such as "the answer is", in several languages.

A cue is a noun such as "answer" with its link to the answer: a verb, a colon, or a line that holds
only the noun. A cue in a conditional or negating sentence does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from operator import itemgetter
from typing import NamedTuple

from mitools.reading.characters import word_set
from mitools.reading.languages import (
    ADJECTIVES,
    EASTERN_LINKS,
    EASTERN_NOUNS,
    NEGATIONS,
    NOUNS,
    VERBS,
)

__all__ = ["Cue", "closing_cue", "cue_counts", "find_cues", "lead_of", "line_starts"]


class Cue(NamedTuple):
    """One cue.

    Attributes:
        begin: start of its first word.
        end: start of the text that it announces.
        is_label: whether it is a label with a colon or a heading, not a sentence: reasons may
            stand behind it in place of the answer.
        is_negated: whether it says what the answer is not.
        is_direct: whether the answer follows the noun with nothing between: "the answer 5".
    """

    begin: int
    end: int
    is_label: bool = False
    is_negated: bool = False
    is_direct: bool = False


_BE = (
    r"(?:(?:is|was|are|were|be)(?P<not>n't|\s+not\b)?|(?:will|would|should|must|has\s+to|have\s+to"
    r"|ought\s+to|can\s+only|could\s+only)\s+(?P<not2>not\s+)?be|(?P<not3>can(?:not|'t)|couldn't"
    r"|can\s+not)\s+be|equals|becomes|comes\s+(?:out\s+)?to|turns\s+out\s+to\s+be)(?!\w)"
)
_LINK = (
    r"(?:\s+(?:to|for|here)(?![ \t]*:)\b[^.:?\n]{0,80}?)?"
    rf"(?:[,*_\"' \t]{{1,4}}{_BE}|(?P<colon>[*_)\]\"' \t]{{0,6}}[:=](?!>)[*_\"]{{0,3}})|'s(?!\w)"
    r"|[*_ \t]{1,4}of(?=\s[*$]{0,3}\d)|(?P<direct>[ \t](?=\$?-?\d|\*\*|\([a-z]\)|\\\(|\$\\))"
    r"|\s?(?:\u2192|->|=>))"
)
# A noun at the start of a pattern is found much faster than one among alternatives.
_LINKED = {
    noun: re.compile(rf"{noun}s?{_LINK}")
    for noun in (
        "answer",
        "result",
        "solution",
        "choice",
        "option",
        "label",
        "verdict",
        "classification",
        "prediction",
        "correction",
    )
}
# A noun other than "answer" needs one of these before it.
_PLAIN_NOUNS = ("answer", "correction")
_SENTENCE_MARKS = (".", "!", "?")  # behind one, "Label: neutral" begins a sentence
_KINDS = ("final", "correct", "right", "best", "my", "true", "only", "predicted", "appropriate")
_DETERMINERS = ("the", "an", "final", "correct", "our", "my")
# At the beginning of a line, a noun with a colon; or a noun alone, above the answer.
_LABEL_NOUN = (
    r"(?:ans|answer|final|result|solution|conclusion|verdict|label|choice|selection|prediction|pick"
    r"|correction|guess|response|letter"
    r"|classification|the\s+answer|answer\s+choice|correct\s+(?:answer|option|choice)"
    r"|(?:short|direct)\s+answer|option\s+selected)"
)
_LABEL = re.compile(
    rf"^[^\w\n]{{0,12}}(?:(?:my|the|our|so|thus)\s)?(?:(?:final|overall|correct|best|predicted)\s)?"
    rf"{_LABEL_NOUN}[*_`\"\])]{{0,4}}(?:[ \t]?[:=][*_`]{{0,4}}|[*_:# \t]{{0,6}}$)",
    re.M,
)
_CHOOSING = ("choose", "chose", "pick", "select", "go with", "opt for")
_CHOOSER = re.compile(
    r"(?<!\w)(?:i|we)(?:'d|'ll|\s+would|\s+will)?(?:\s+(?:therefore|thus|have\s+to|must))?\s+\Z"
)
_LATIN_PARTS = tuple(noun for noun in NOUNS if noun.isascii())


@cache
def _foreign() -> re.Pattern[str]:
    """Compile the pattern when a text first needs it; compiling it is slow."""
    return re.compile(
        rf"(?<!\w)(?:{'|'.join(NOUNS)})(?:\s+(?:{'|'.join(ADJECTIVES)})){{0,2}}"
        rf"(?:[*_ \t]{{1,4}}(?:{'|'.join(VERBS)})(?P<not>\s+(?:{'|'.join(NEGATIONS)}))?(?!\w)"
        r"(?![ \t]{0,4}:)|(?P<colon>(?:[ \t]{1,2}(?:\u0647\u064a|\u0647\u0648))?"
        r"[*_)\]\"' \t]{0,6}[:=\u0983][*_\"]{0,3}))"
    )


_EAST = re.compile(
    rf"(?:{'|'.join(EASTERN_NOUNS)})[*_)\u300d\u3011\s]{{0,4}}(?:{'|'.join(EASTERN_LINKS)})?"
    r"(?P<not>\u4e0d\u662f)?[*_ \t]{0,4}[:=]?[*_]{0,3}"
)
_EAST_LINK = re.compile(rf"(?:[:=]|{'|'.join(EASTERN_LINKS)})[*_ \t]{{0,6}}\Z")

# What may stand before the noun and belongs to the cue.
_LEAD_WORD = re.compile(r"(?<!\w)(\w+'?)[\s,:*_]{0,3}\Z")
_LONGEST_WORD = 24
_LEAD_WORDS = word_set(
    "so thus therefore hence and then the my our final correct best right true closest most likely"
    " is that overall die der das la le el il l' a o het de richtige bonne buena correcta"
    " \u6240\u4ee5 \u56e0\u6b64"
)
_REFUTED = re.compile(
    r"\b(?:wrong|incorrect|false|mistaken|bad|poor|common|another|other|alternative|previous|earlier"
    r"|initial|original|tempting|students?'?s?|his|her|their|no|which|what|whose|possible|naive"
    r"|obvious|any|every|each|this|(?:second|third|next)[\s-]best|second|runner-up|least|worst|trap"
    r"|distractor|backup|remaining)\s+(?:\w+\s+)?\Z"
)
_CONDITIONAL = re.compile(
    r"\b(?:if|unless|suppose|supposing|assuming|otherwise|whether|whatever|even\s+though\s+one)\b"
    r"|(?:^|[,:;.]\s*)(?:had|were|should)\s+(?:he|she|it|they|we|you|i|the|there|this|that)\b"
    r"|\b(?:not\s+sure|don't\s+know|do\s+not\s+know|hope|doesn't\s+mean|does\s+not\s+mean|wonder"
    r"|cannot\s+say|can't\s+say|not\s+that|to\s+get|to\s+find|until|tempted\s+to"
    r"|at\s+first\s+(?:glance|sight)|(?:first|initially|originally)\s+(?:thought|assumed|guessed)"
    r"|(?:some|one|someone|others|many|people|you|readers?|students?)\s+(?:might|may|could)"
    r"\s+(?:\w+\s+){0,2}?(?:say|argue|claim|think|believe|answer|guess))\b"
)
_CONCLUDES = re.compile(r"\b(?:so|therefore|thus|hence)[\s,]{1,3}\Z")
_SENTENCE_ENDS = (". ", "\n", "! ", "? ", '." ', ".) ", ".* ", "\u3002")
_WINDOW = 300


def find_cues(folded: str) -> list[Cue]:
    """List all cues in a folded text by their ends, including those that do not count."""
    return sorted(_all_cues(folded), key=_BY_END)


_BY_END = itemgetter(1, 0)
_CLOSING = "answer is "
_LONGEST_CLOSING = 200
_FURTHER = (":", "answer", " is ", " be ", "\n")


def closing_cue(folded: str) -> Cue | None:
    """Find the "answer is" of a text's last sentence, where nothing behind it can be a cue.

    Most texts end in this way, and then no other search is needed.
    """
    begin = folded.rfind(_CLOSING, max(0, len(folded) - _LONGEST_CLOSING))
    if begin < 0 or folded[begin - 1 : begin].isalnum():
        return None
    behind = folded[begin + len(_CLOSING) :]
    if behind.startswith("not ") or _has_any(behind, _FURTHER) or not behind.isascii():
        return None
    return Cue(begin, begin + len(_CLOSING) - 1)


def _all_cues(folded: str) -> Iterator[Cue]:
    for noun, pattern in _LINKED.items():
        if noun in folded:
            yield from _linked_cues(folded, noun, pattern)
    for place in line_starts(folded):
        match = _LABEL.match(folded, place)
        if match is not None:
            yield Cue(match.start(), match.end(), is_label=True)
    for verb in _CHOOSING:
        place = folded.find(verb)
        while place >= 0:
            end = place + len(verb)
            chooser = _CHOOSER.search(folded, max(0, place - 24), place)
            if chooser is not None and not folded[end : end + 1].isalnum():
                yield Cue(chooser.start(), end)
            place = folded.find(verb, end)
    is_ascii = folded.isascii()
    if not is_ascii or _has_any(folded, _LATIN_PARTS):
        for match in _foreign().finditer(folded):
            is_negated = match["not"] is not None
            yield Cue(match.start(), match.end(), match["colon"] is not None, is_negated)
    if not is_ascii:
        for match in _EAST.finditer(folded):
            if _EAST_LINK.search(match[0]) or folded[match.end() : match.end() + 1] == "\n":
                yield Cue(match.start(), match.end(), False, match["not"] is not None)


def _has_any(folded: str, parts: tuple[str, ...]) -> bool:
    return any(map(folded.__contains__, parts))


def _linked_cues(folded: str, noun: str, pattern: re.Pattern[str]) -> Iterator[Cue]:
    for match in pattern.finditer(folded):
        before = folded[max(0, match.start() - 24) : match.start()]
        if before[-1:].isalnum():
            continue
        word = before.rstrip(" \t\n*_`")
        is_heading = match["colon"] is not None and word[-1:] in _SENTENCE_MARKS
        if noun not in _PLAIN_NOUNS and not is_heading and not word.endswith(_KINDS):
            continue
        if match["direct"] and not word.endswith(_DETERMINERS):
            continue
        is_negated = bool(match["not"] or match["not2"] or match["not3"])
        is_direct = match["direct"] is not None
        yield Cue(match.start(), match.end(), match["colon"] is not None, is_negated, is_direct)


def line_starts(text: str) -> Iterator[int]:
    """Yield where each line that is not empty begins."""
    place = 0
    while place < len(text):
        if text[place] != "\n":
            yield place
        end = text.find("\n", place)
        if end < 0:
            return
        place = end + 1


def cue_counts(folded: str, cue: Cue) -> bool:
    """Return whether a cue's sentence states an answer, and does not suppose or deny one."""
    before = folded[_clause_start(folded, cue.begin) : cue.begin]
    if _REFUTED.search(before[-60:]):
        return False
    condition = _CONDITIONAL.search(before)
    return condition is None or _CONCLUDES.search(before) is not None


def _clause_start(folded: str, end: int) -> int:
    """Return where the sentence begins that runs up to a place; roughly, but fast."""
    begin = end - _WINDOW if end > _WINDOW else 0
    for mark in _SENTENCE_ENDS:
        place = folded.rfind(mark, begin, end)
        if place >= 0:
            begin = place + len(mark)
    return begin


def lead_of(folded: str, begin: int) -> int:
    """Return the start of a cue with the words before it: ``So, the correct answer is``."""
    place = begin
    while match := _LEAD_WORD.search(folded, max(0, place - _LONGEST_WORD), place):
        if match[1] not in _LEAD_WORDS:
            break
        place = match.start()
    return place

"""Run the four steps: clean, cut, locate, read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from mitools.reading.answer import RANKS, Answer, Choices, Found, How, Statement, TaskReader
from mitools.reading.characters import fold
from mitools.reading.clean import clean
from mitools.reading.cues import Cue, closing_cue, cue_counts, find_cues, lead_of
from mitools.reading.cut import own_part
from mitools.reading.fields import FieldAnswer, answer_field
from mitools.reading.locate import last_line, statements
from mitools.reading.sentences import sentence_ends, sentence_start

__all__ = ["own_text", "read_completion"]

_PREFIX = re.compile(r"\s{0,40}a(?:nswer)?[ \t]?:[ \t]{0,8}(?=\S)")
_FILLER = re.compile(r"[\W_]*(?:so|thus|therefore|hence|and|then)?[\W_]*", re.IGNORECASE)
_HEADING = re.compile(
    r"[^\w\n]{0,20}(?:(?:(?:the|my)\s)?(?:final\s)?(?:answer|result|solution|conclusion)|explanation"
    r"|reasoning)?[^\w\n.!?)]{0,20}\Z",
    re.IGNORECASE,
)
_LETTERED = re.compile(r"\s*(?:option\s|choice\s)?\(?[A-Za-z][.):](?=\s)", re.IGNORECASE)
_FENCE = re.compile(r"```[\w-]{0,20}\s*\Z|~~~\s*\Z")
_MARKS = ("\\boxed", "####", "<answer>")
_WORDS = re.compile(r"\w+|[-+*/=]")
_LEADING = re.compile(
    r"\A[\s*_#>-]*(?:explanation|reasoning|rationale|reason|because)\s*:[*_]*\s*", re.IGNORECASE
)


def read_completion(text: str, choices: Choices, reader: TaskReader, how: How) -> Answer:
    """Read the answer of a completion, and the reasons for it.

    Args:
        text: the completion, unchanged.
        choices: the possible answers, if the record has some.
        reader: reads a statement for the task.
        how: how loosely to read, and the input that was asked about.

    Returns:
        The answer; without a label, its rationale is the whole text of the completion.
    """
    cleaned = clean(text)
    part = _cut(cleaned.text, how, choices, reader)
    own = part.text
    field = answer_field(own, part.folded)
    answer = None
    label = None if field is None else reader.read(field.text, choices)
    if field is not None and (isinstance(label, str) or not field.is_likely):
        if not isinstance(label, str):
            return Answer(None, own)
        answer = Answer(label, _beside(own, field), RANKS[0], (field.begin, field.end))
    elif how.loosest != RANKS[0] and own:
        answer = _by_statements(part, choices, reader, how)
    if answer is None:
        return Answer(None, own)
    rationale = answer.rationale if _adds_words(answer.rationale, answer.label) else ""
    rationale = rationale or cleaned.thoughts
    return Answer(answer.label, rationale, answer.read_by, _place_in(text, own, answer.place))


def own_text(
    text: str, how: How | None = None, choices: Choices = None, reader: TaskReader | None = None
) -> str:
    """Return the part of a completion that answers, without thoughts or a next example.

    Args:
        text: the completion, unchanged.
        how: the input that was asked about.
        choices: the possible answers, if they are known.
        reader: reads a line for the task, if that is known; it helps to find the end of an answer.
    """
    return _cut(clean(text).text, how or How(), choices, reader).text


@dataclass(slots=True)
class _Part:
    """A completion's own part, and the same folded."""

    text: str
    folded: str
    closing: Cue | None = None

    def cues(self) -> Iterator[Cue]:
        """Yield the cues that count, from the last to the first."""
        closing = self.closing or _closing(self.folded)
        if closing is not None:
            yield closing
        for cue in reversed(find_cues(self.folded)[-_MOST_CUES:]):
            if cue_counts(self.folded, cue):
                yield cue


def _closing(folded: str) -> Cue | None:
    cue = closing_cue(folded)
    return cue if cue is not None and cue_counts(folded, cue) else None


_MOST_CUES = 40
"""Number of cues that are tried, from the last; a completion with more repeats itself."""


def _cut(text: str, how: How, choices: Choices, reader: TaskReader | None) -> _Part:
    folded = fold(text)
    prefix = _PREFIX.match(folded)
    if prefix is not None and "answer" in folded[prefix.end() :]:
        text, folded = text[prefix.end() :], folded[prefix.end() :]
    end, closing = len(text), None
    if ":" in folded or "\n" in folded:
        answered = _Answered(text, folded, choices, reader)
        end = own_part(text, folded, how.asked, how.names, answered)
        closing = answered.closing if answered.place == end else None
    own = text[:end].rstrip()
    return _Part(own, folded[: len(own)], closing)


class _Answered:
    """Finds whether a text states an answer before a position; reads no further than needed."""

    def __init__(self, text: str, folded: str, choices: Choices, reader: TaskReader | None) -> None:
        self._text = text
        self._folded = folded
        self._choices = choices
        self._reader = reader
        self._first: int | None = None  # where the first answer of the whole text is stated
        self.place = -1
        self.closing: Cue | None = None  # the cue of the last sentence before that place

    def before(self, place: int) -> bool:
        if self._first is None:
            self.place = place
            self.closing = _closing(self._folded[:place].rstrip())
            if self.closing is not None:
                return True
            self._first = _first_statement(self._folded)
        return self._first < place

    def by_line(self, place: int) -> bool:
        line = last_line(self._text[max(0, place - _LONGEST_LINE) : place])
        if len(line) >= _LONGEST_LINE or not line:
            return False
        is_sentence = line.endswith((".", "!", "?"))
        if self._reader is None:
            return not is_sentence and len(line) < _SHORT and len(line.split()) <= _FEW_WORDS
        found = self._reader.read_exact(line, self._choices)
        # Where any text may be an answer, a whole sentence is taken for one of the reasons.
        return isinstance(found, str) and not (is_sentence and found == line[:-1])


_LONGEST_LINE = 300
_SHORT = 60
_FEW_WORDS = 4


def _first_statement(folded: str) -> int:
    """Return where an answer is first stated; the text's length where it is not."""
    places = [folded.find(mark) for mark in _MARKS]
    cues = find_cues(folded)
    places.append(next((cue.begin for cue in cues if cue_counts(folded, cue)), -1))
    return min((place for place in places if place >= 0), default=len(folded))


def _by_statements(part: _Part, choices: Choices, reader: TaskReader, how: How) -> Answer | None:
    """Try the places in order; the first that states anything decides."""
    line: tuple[str, Statement] | None = None
    for statement in statements(part.text, part.folded, part.cues(), how.loosest):
        if line is not None and statement.rank != "line":
            break
        found = _read(statement, choices, reader)
        if found is None:
            continue
        if not isinstance(found, str):
            return Answer(None, _rationale(part, statement))
        if statement.rank != "line":
            if statement.rank in _MARKED and _is_contradicted(
                part, found, statement, choices, reader
            ):
                return Answer(None, _rationale(part, statement))
            if _is_taken_back(part, found, statement):
                return Answer(None, part.text)
            rationale = _rationale(part, statement, found)
            return Answer(found, rationale, statement.rank, _words_of(part.text, statement))
        if line is not None and line[0] != found:
            return None  # the first line says one thing and the last another
        line = line or (found, statement)
    if line is None:
        return None
    label, statement = line
    if _is_taken_back(part, label, statement):
        return None
    rationale = _rationale(part, statement, label)
    return Answer(label, rationale, statement.rank, _words_of(part.text, statement))


def _words_of(own: str, statement: Statement) -> tuple[int, int]:
    """Return where the words of a statement begin and end: with a cue, to the end of a sentence."""
    begin, end = statement.begin, statement.end
    if statement.rank == "cue":
        # What is stated may begin on a line below its cue.
        stated = max(begin, own.find(statement.text[:_TOLD], begin, end))
        end = next(sentence_ends(own, stated + 1, end), end)
    words = own[begin:end]
    return begin + len(words) - len(words.lstrip()), begin + len(words.rstrip())


_TOLD = 40
"""Characters of a statement that are enough to find it behind its cue."""


def _place_in(text: str, own: str, place: tuple[int, int] | None) -> tuple[int, int] | None:
    """Turn a place in the cleaned text into one in the completion; None if it is not there."""
    if place is None:
        return None
    begin, end = place
    whole = text.find(own)
    start = whole + begin if whole >= 0 else text.rfind(own[begin:end])
    return None if start < 0 else (start, start + end - begin)


def _is_contradicted(
    part: _Part, label: str, marked: Statement, choices: Choices, reader: TaskReader
) -> bool:
    """Return whether a cue behind a marked answer states another."""
    for statement in statements(part.text, part.folded, part.cues(), "cue"):
        if statement.rank == "cue" and statement.begin > marked.end:
            found = _read(statement, choices, reader)
            if isinstance(found, str):
                return found != label
    return False


_MARKED = ("boxed", "hashes")
_RETRACTS = re.compile(
    r"(?:^|[.!?\n])[*_\"')\s]*(?:wait|hmm+|hold\s+on|scratch\s+that"
    r"|on\s+(?:further\s+|second\s+)?(?:reflection|thought|consideration)"
    r"|let\s+me\s+re-?(?:consider|think|check|do|evaluate|examine)"
    r"|i\s+(?:would\s+like\s+to\s+|want\s+to\s+|have\s+to\s+|must\s+)?(?:change|revise|correct)"
    r"\s+my\s+(?:answer|mind))\b"
)
_DENIES = re.compile(r"\b(?:wrong|incorrect|mistaken?|not|no|cannot|better|instead|rather)\b|n't\b")
_CONFIRMS = re.compile(
    r"\b(?:same|correct|right|confirm(?:s|ed)?|indeed|stands?|still|consistent|holds?|yes)\b"
)


def _is_taken_back(part: _Part, label: str, statement: Statement) -> bool:
    """Return whether a teacher doubts an answer behind it, and then does not confirm it."""
    if statement.rank == "statement":
        return False
    _, end = _words_of(part.text, statement)
    doubt = _RETRACTS.search(part.folded, max(0, end - 1))
    if doubt is None:
        return False
    behind = part.folded[doubt.end() :]
    if _DENIES.search(behind):
        return True
    return _CONFIRMS.search(behind) is None and fold(label) not in behind


def _read(statement: Statement, choices: Choices, reader: TaskReader) -> Found:
    if statement.rank == "statement":
        return reader.read_last(statement.text, choices)
    if statement.is_exact:
        return reader.read_exact(statement.text, choices)
    return reader.read(statement.text, choices)


def _rationale(part: _Part, statement: Statement, label: str = "") -> str:
    """Take what stands before the sentence that states the answer, else what stands behind it."""
    text = part.text
    if statement.rank == "statement":
        return text  # the last sentence of the reasoning belongs to it
    if statement.rank == "line" and "\n" not in text:
        return _behind_first(text, label)
    begin = sentence_start(text, statement.begin)
    before = _without_heading(text[:begin])
    if not before:
        stop = next(sentence_ends(text, statement.begin, statement.end), statement.end)
        before = _LEADING.sub("", text[stop:].strip())
    if not before:
        before = text[: lead_of(part.folded, statement.begin)].strip(" ,;\n")
    return "" if _FILLER.fullmatch(before) else before


def _behind_first(text: str, label: str) -> str:
    """Return the reasons behind an answer that begins the only line: ``B. Because …``."""
    letter = _LETTERED.match(text)
    end = letter.end() if letter else next(sentence_ends(text), len(text))
    behind = text[end:].strip()
    if behind:
        return behind
    return text if _adds_words(text, label, 5) else ""


def _adds_words(text: str, label: str | None, count: int = 0) -> bool:
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


def _beside(own: str, field: FieldAnswer) -> str:
    if field.rationale:
        return field.rationale.strip()
    before = _FENCE.sub("", own[: field.begin]).strip()
    return before or _FENCE.sub("", own[field.end :]).strip(" \n`")

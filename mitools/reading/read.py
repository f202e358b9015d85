"""Run the four steps: clean, cut, locate, read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mitools.reading.answer import RANKS, Answer, Choices, Found, How, Statement, TaskReader
from mitools.reading.characters import fold
from mitools.reading.clean import clean
from mitools.reading.cues import Cue, closing_cue, cue_counts, find_cues
from mitools.reading.cut import own_part
from mitools.reading.doubts import Doubter
from mitools.reading.fields import answer_field
from mitools.reading.locate import last_line, statements
from mitools.reading.places import Place, held_in, place_within, words_of
from mitools.reading.reasons import adds_words, reasons_beside, reasons_of

__all__ = ["own_text", "read_completion"]

_PREFIX = re.compile(r"\s{0,40}a(?:nswer)?[ \t]?:[ \t]{0,8}(?=\S)")
_MARKS = ("\\boxed", "####", "<answer>")


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
        rationale = reasons_beside(own, field)
        answer = Answer(label, rationale, RANKS[0], (field.begin, field.end), field.held)
    elif how.loosest != RANKS[0] and own:
        answer = _by_statements(part, choices, reader, how)
    if answer is None:
        return Answer(None, own)
    rationale = answer.rationale if adds_words(answer.rationale, answer.label) else ""
    rationale = rationale or cleaned.thoughts
    places = (part.from_begin(place) for place in (answer.place, answer.held))
    place, held = (place_within(text, cleaned.text, found) for found in places)
    return Answer(answer.label, rationale, answer.read_by, place, held)


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
    """A completion's own part, the same folded, and where it begins in the cleaned text."""

    text: str
    folded: str
    begin: int
    closing: Cue | None = None

    def from_begin(self, place: Place | None) -> Place | None:
        """Turn a place in this part into one in the cleaned text."""
        return None if place is None else (self.begin + place[0], self.begin + place[1])

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
    prefix, begin = _PREFIX.match(folded), 0
    if prefix is not None and "answer" in folded[prefix.end() :]:
        begin = prefix.end()
        text, folded = text[begin:], folded[begin:]
    end, closing = len(text), None
    if ":" in folded or "\n" in folded:
        answered = _Answered(text, folded, choices, reader)
        end = own_part(text, folded, how.asked, how.names, answered)
        closing = answered.closing if answered.place == end else None
    own = text[:end].rstrip()
    return _Part(own, folded[: len(own)], begin, closing)


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
    doubter = Doubter(part.text, part.folded, choices, reader)
    line: tuple[str, Statement] | None = None
    for statement in statements(part.text, part.folded, part.cues(), how.loosest):
        if line is not None and statement.rank != "line":
            break
        found = _read(statement, choices, reader)
        if found is None:
            continue
        if not isinstance(found, str):
            return Answer(None, reasons_of(part.text, part.folded, statement))
        if statement.rank != "line":
            if statement.rank in _MARKED and _is_contradicted(
                part, found, statement, choices, reader
            ):
                return Answer(None, reasons_of(part.text, part.folded, statement))
            if _is_taken_back(part, found, statement, doubter):
                return Answer(None, part.text)
            return _as_answer(part, found, statement)
        if line is not None and line[0] != found:
            return None  # the first line says one thing and the last another
        line = line or (found, statement)
    if line is None or _is_taken_back(part, *line, doubter):
        return None
    return _as_answer(part, *line)


def _as_answer(part: _Part, label: str, statement: Statement) -> Answer:
    rationale = reasons_of(part.text, part.folded, statement, label)
    place, held = words_of(part.text, statement), held_in(part.text, statement)
    return Answer(label, rationale, statement.rank, place, held)


def _is_taken_back(part: _Part, label: str, statement: Statement, doubter: Doubter) -> bool:
    """Return whether a teacher doubts an answer behind it, and then does not confirm it."""
    return statement.rank != "statement" and doubter.takes_back(
        label, words_of(part.text, statement)[1]
    )


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


def _read(statement: Statement, choices: Choices, reader: TaskReader) -> Found:
    if statement.rank == "statement":
        return reader.read_last(statement.text, choices)
    if statement.is_exact:
        return reader.read_exact(statement.text, choices)
    return reader.read(statement.text, choices)

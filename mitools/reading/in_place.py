"""Each choice in the place of the one that a text names, as a letter or in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mitools.reading.apart import forms_among
from mitools.reading.choices import LETTERS, letter_of
from mitools.reading.scripts import is_letter, is_unspaced

__all__ = ["LONGEST_LABEL", "InPlace", "Start", "choices_in_place", "find_choice"]

LONGEST_LABEL = 400
"""Characters of a label that is searched for."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a choice stands in a text.

    Attributes:
        place: of its first character.
        end: behind its last character.
        by_letter: whether its letter stands there, and not its words.
    """

    place: int
    end: int
    by_letter: bool


@dataclass(frozen=True, slots=True)
class InPlace:
    """A text that names a choice, and what it would say of each.

    Attributes:
        choices: N choices; equal ones stand there once, or each with its letter.
        forms: [N] how each is written: as its letter or in words, in the case of the named one.
        own: index of the one that the text names.
        before: the text up to the named choice.
        behind: the text behind it.
    """

    choices: tuple[str, ...]
    forms: tuple[str, ...]
    own: int
    before: str
    behind: str

    @property
    def texts(self) -> tuple[str, ...]:
        """The text with each choice in that place: [N]."""
        return tuple(f"{self.before}{form}{self.behind}" for form in self.forms)


def choices_in_place(
    text: str, label: str | None, place: tuple[int, int] | None, choices: Sequence[str] | None
) -> InPlace | None:
    """Write each choice as a text writes the one that it names.

    Args:
        text: what names a choice.
        label: what was read in it.
        place: where the statement that names it begins and ends.
        choices: the possible answers; None if there is no set of them.

    Returns:
        None where there are not two different choices, or no place of the label.
    """
    if not choices or label is None or place is None:
        return None
    form = forms_among(choices)
    named = [index for index, choice in enumerate(choices) if form(choice) == form(label)]
    start = find_choice(text, place, named, choices)
    if start is None or (start.by_letter and len(choices) > LETTERS):
        return None
    written = text[start.place : start.end]
    kept = [*range(len(choices))] if start.by_letter else [*_first_of_equal(choices)]
    own = next((i for i, index in enumerate(kept) if _names(written, index, start, named)), None)
    if own is None or len(kept) < 2:
        return None
    forms = _forms(written, choices, kept, choices[kept[own]], start)
    return InPlace(
        tuple(choices[index] for index in kept),
        tuple(forms),
        own,
        text[: start.place],
        text[start.end :],
    )


def find_choice(
    text: str, place: tuple[int, int], named: Sequence[int], choices: Sequence[str]
) -> Start | None:
    """Find where a statement first names one of some equal choices, by its letter or its words.

    Args:
        text: holds the statement.
        place: where the statement begins and ends in it.
        named: indices of the equal choices.
        choices: all choices.
    """
    found, is_written = [], forms_among(choices).is_written
    for index in named:
        words = _words(choices[index])
        # Words may be written in any case, but a small letter alone is often an article.
        flags = re.NOFLAG if is_written(choices[index]) else re.IGNORECASE
        match = _named_in_words(text, place, words, _longer(choices[index], choices), flags)
        found += [Start(*match, False)] if match else []
        if index < LETTERS:
            letter = re.compile(_letter_pattern(letter_of(index), words)).search(text, *place)
            found += [Start(*letter.span(), True)] if letter else []
    return min(found, key=lambda start: start.place, default=None)


def _words(choice: str) -> str:
    return r"\s+".join(map(re.escape, choice[:LONGEST_LABEL].split()))


def _longer(choice: str, choices: Sequence[str]) -> list[str]:
    """List the words of the choices that hold another one: ``sea salt`` holds ``sea``."""
    own = choice.casefold()
    return [_words(name) for name in choices if own in name.casefold() and own != name.casefold()]


def _named_in_words(
    text: str, place: tuple[int, int], words: str, longer: Sequence[str], flags: re.RegexFlag
) -> tuple[int, int] | None:
    """Find the first whole words of a choice that are not those of a longer one.

    Else its first mention within a longer choice, and else the beginning of a long word of it,
    which may be another form of it: ``positively``.
    """
    if not words:
        return None
    matches = re.compile(words, flags).finditer(text, *place)
    spans = [span for span in (match.span() for match in matches) if _begins_word(text, span[0])]
    whole = [span for span in spans if _ends_word(text, span[1])]
    if longer and len(whole) > 1:
        covering = re.compile("|".join(longer), flags)
        covered = [match.span() for match in covering.finditer(text, *place)]
        free = [
            (begin, end)
            for begin, end in whole
            if not any(first <= begin and end <= last for first, last in covered)
        ]
        whole = free or whole
    if whole:
        return whole[0]
    return spans[0] if spans and spans[0][1] - spans[0][0] >= _LONG else None


_LONG = 5
"""Letters of a choice whose other forms are read; see ``options``."""
_PLURAL = re.compile(r"e?s(?!\w)", re.IGNORECASE)


def _begins_word(text: str, begin: int) -> bool:
    return not _joins(text[begin - 1 : begin] if begin else "", text[begin])


def _ends_word(text: str, end: int) -> bool:
    return not _joins(text[end : end + 1], text[end - 1]) or _PLURAL.match(text, end) is not None


def _joins(character: str, neighbour: str) -> bool:
    """Return whether two characters are of one word, in a script with spaces between words."""
    if not (is_letter(character) if character else False) or not is_letter(neighbour):
        return False
    return not (is_unspaced(character) or is_unspaced(neighbour))


def _letter_pattern(small: str, words: str) -> str:
    letter = small.upper()
    either = f"(?:{small}|{letter})"
    patterns = [
        rf"(?<=[(\[{{<*_]){either}(?=[)\]}}>*_.:])",
        rf"(?<![\w'])(?:{letter}(?=\s*(?:[).:,;!\n-]|\Z))|{small}(?=[).:]|\s*\Z))",
    ]
    if words:
        patterns.append(rf"(?<![\w']){either}(?=[\s).:,-]{{1,4}}(?i:{words}))")
    return "|".join(patterns)


def _first_of_equal(choices: Sequence[str]) -> Iterator[int]:
    """Yield the index of each choice, of equal ones that of the first."""
    seen: set[str] = set()
    form_of = forms_among(choices)
    for index, choice in enumerate(choices):
        form = form_of(choice)
        if form not in seen:
            seen.add(form)
            yield index


def _names(written: str, index: int, start: Start, named: Sequence[int]) -> bool:
    if start.by_letter:
        return written.lower() == letter_of(index)
    return index in named


def _forms(
    written: str, choices: Sequence[str], kept: Sequence[int], own: str, start: Start
) -> list[str]:
    """Write each choice as the teacher wrote its own: as a letter or in words, in the same case."""
    if start.by_letter:
        letters = [letter_of(index) for index in kept]
        return [letter.upper() if written.isupper() else letter for letter in letters]
    names = [choices[index] for index in kept]
    if written == own:
        return names
    for change in (str.lower, str.upper, _capitalized):
        if change(own) == written:
            return [change(name) for name in names]
    return [written if name == own else name for name in names]


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]

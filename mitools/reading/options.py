"""The possible answers of a record: which one a text equals, and which ones it mentions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from mitools.expressions import parse_expression
from mitools.reading.apart import forms_among
from mitools.reading.characters import cased, fold, normalize
from mitools.reading.scripts import is_letter, is_unspaced

__all__ = ["ChoiceForms", "inflected", "loosened", "mentions", "place_of"]

_PUNCTUATION = re.compile(r"[\W_]+")
_ARTICLE = re.compile(r"^(?:an?|the) ")
_NEGATED = re.compile(
    r"(?:\bnot|\bnon|n't|\bnever|\bno|\bneither|\bnor|\bwithout|\bcannot\s+be|\brather\s+than|\binstead\s+of"
    r"|\bunlike|\banti|\b(?:hardly|scarcely|barely|far\s+from|anything\s+but|less\s+than)"
    r"|\bfail(?:s|ed)?\s+to|\brul(?:e|es|ed|ing)\s+out|\binsufficient\s+(?:\w+\s+)?for)"
    r"(?:\s+(?:be|been|necessarily|an?|the|really|quite|at|all|entirely|fully|clearly|directly"
    r"|a\s+case\s+of))*[\s-]*\Z"
)
_SIGNED = re.compile(r"\W{0,4}\.\d")


@lru_cache(maxsize=4096)
def _short_loosened(choice: str) -> str:
    return loosened(choice)


class ChoiceForms:
    """The choices of one record, with the forms by which they are compared."""

    __slots__ = ("are_numbers", "choices", "form", "forms")

    def __init__(self, choices: Sequence[str]) -> None:
        self.choices = choices
        self.form = forms_among(choices)
        form = self.form if self.form.written else normalize
        self.forms = [form(choice) for choice in choices]
        self.are_numbers = all(
            form[-1:].isdigit() and parse_expression(form) for form in self.forms
        )

    def named(self, text: str) -> str | None:
        """Find the choice that equals a text, apart from case, articles and punctuation."""
        form = self.form(text)
        if not form or _SIGNED.match(text):
            return None  # .5 is not 5
        if form in self.forms:
            return self.choices[self.forms.index(form)]
        loose = loosened(form)
        for choice, own in zip(self.choices, self.forms, strict=True):
            if self.form.is_written(own):
                continue
            if not loose or abs(len(own) - len(form)) > 12 or own[-1:] not in (loose[-1], ")", "'"):
                continue
            known = _short_loosened(choice) if len(choice) <= 100 else loosened(choice)
            if known == loose:
                return choice if _same_sign(text, own) else None
        return None


def loosened(text: str) -> str:
    """Also ignore articles, apostrophes, hyphens and inner spaces: ``vet's office``."""
    return _PUNCTUATION.sub("", _ARTICLE.sub("", normalize(text)))


def _same_sign(text: str, own: str) -> bool:
    """Keep -5 and 5, or 1.5 and 15, apart, which loosening would not."""
    if any(character.isdigit() for character in own):
        return re.sub(r"[^\d.+-]", "", own).strip(".") == re.sub(r"[^\d.+-]", "", text).strip(".")
    return True


def mentions(text: str, choices: Sequence[str], *, within: bool = False) -> list[str]:
    """List the different choices that a text names, in order; ``sea`` in ``sea world`` is not one.

    A choice that is negated (``not neutral``, ``non-entailment``) is left out.

    Args:
        text: the text.
        choices: the choices.
        within: whether a choice of two letters or more counts amid others, where the script has
            no spaces between words. An answer is read more strictly than what a rationale supports.
    """
    distinct, shown = _sought(text, choices)
    ordered = sorted(distinct, key=len, reverse=True)
    # One pattern of all choices gives the same result but takes 100 times as long to compile.
    places = [
        (begin, rank, end)
        for rank, form in enumerate(ordered)
        for begin, end in _occurrences(distinct[form][2], distinct[form][1], within=within)
    ]
    named: dict[str, None] = {}
    free = 0
    for begin, rank, end in sorted(places):
        if begin < free:
            continue
        free = end
        if within and _is_negated_within(shown, begin, end):
            continue
        if not _NEGATED.search(shown, max(0, begin - 40), begin):
            named[ordered[rank]] = None
    return [distinct[form][0] for form in named]


def _sought(text: str, choices: Sequence[str]) -> tuple[dict[str, tuple[str, str, str]], str]:
    """Find the choices that may be in a text.

    Returns:
        By the form of the choice: the choice, the words to find, and the text to find them in; and
        the text in lower case, in which the places are the same.
    """
    form_of = forms_among(choices)
    if not form_of.written:
        shown = normalize(text)
        plain = ((normalize(choice), choice) for choice in reversed(choices))
        return {form: (name, form, shown) for form, name in plain if form and form in shown}, shown
    written = cased(text)
    shown = fold(written)  # which keeps every position
    found: dict[str, tuple[str, str, str]] = {}
    for choice in reversed(choices):
        form = form_of(choice)
        is_written = form_of.is_written(choice)
        words, where = (form, written) if is_written else (fold(cased(choice)), shown)
        if normalize(form) and words in where:
            found[form] = choice, words, where
    return found, shown


def place_of(
    choice: str, text: str, start: int = 0, choices: Sequence[str] = ()
) -> tuple[int, int] | None:
    """Return where a text names a choice for the last time, in any case and spacing; None if not.

    Args:
        choice: the choice.
        text: the text.
        start: where the search begins.
        choices: the choices that it is one of: among them it may be known by its case alone.
    """
    words = r"\s+".join(map(re.escape, choice.strip("\"' .\n").split()))
    flags = re.NOFLAG if forms_among(choices).is_written(choice) else re.IGNORECASE
    pattern = re.compile(rf"(?<!\w){words}(?:e?s)?(?!\w)", flags)
    places = [match.span() for match in pattern.finditer(text, start)] if words else []
    if words and not places and not text.isascii():
        amid = (match.span() for match in re.compile(words, flags).finditer(text, start))
        places = [(begin, end) for begin, end in amid if _stands_alone(text, begin, end)]
    return places[-1] if places else None


def _occurrences(shown: str, form: str, *, within: bool) -> Iterator[tuple[int, int]]:
    """Yield where a choice stands as whole words, or in the plural."""
    joins = _joins_with_spaces if within and len(form) > 1 and not shown.isascii() else _joins
    begin = shown.find(form)
    while begin >= 0:
        end = begin + len(form)
        before, behind = shown[begin - 1 : begin] if begin else "", shown[end : end + 3]
        if not joins(before, form[0]) and not (form[0].isdigit() and before in tuple(".,-")):
            for ending in ("es", "s", ""):
                if behind.startswith(ending) and not joins(behind[len(ending) :][:1], form[-1]):
                    is_cut = form[-1].isdigit() and (ending or _DECIMALS.match(behind))
                    if not is_cut:
                        yield begin, end + len(ending)
                    break
        begin = shown.find(form, begin + 1)


_DECIMALS = re.compile(r"[.,]\d")


def _joins(character: str, _neighbour: str) -> bool:
    """Return whether a character would be of the same word as its neighbour; "" is none."""
    return character != "" and is_letter(character)


def _joins_with_spaces(character: str, neighbour: str) -> bool:
    """The same, but never for a letter of a script without spaces between words."""
    return _joins(character, neighbour) and not (is_unspaced(character) or is_unspaced(neighbour))


def _stands_alone(text: str, begin: int, end: int) -> bool:
    before, behind = text[begin - 1 : begin] if begin else "", text[end : end + 1]
    return not (
        _joins_with_spaces(before, text[begin]) or _joins_with_spaces(behind, text[end - 1])
    )


_NOT_BEFORE = re.compile("(?:不|非|没有|沒有|無|无|ไม่|ไม่ใช่)(?:是|属于|屬於)?\\Z")
_NOT_BEHIND = re.compile("(?:では|じゃ|で)は?(?:な[いくかけ]|ありません)")


def _is_negated_within(shown: str, begin: int, end: int) -> bool:
    """Return whether a choice is denied in a language without spaces between words."""
    return bool(
        _NOT_BEFORE.search(shown, max(0, begin - 6), begin) or _NOT_BEHIND.match(shown, end)
    )


def inflected(folded: str, options: ChoiceForms) -> list[str]:
    """List the choices of one word that a text names in another form: ``entails``."""
    words: dict[str, str] = {}
    for option, form in zip(options.choices, options.forms, strict=True):
        if len(form) <= 40 and not options.form.is_written(form):
            words |= dict.fromkeys(_inflections(form), option)
    named: dict[str, None] = {}
    for match in _LONG_WORD.finditer(folded) if words else ():
        choice = words.get(match[0])
        if choice is None or folded[match.start() - 1 : match.start()] == "-":
            continue
        if not _NEGATED.search(folded, max(0, match.start() - 40), match.start()):
            named[choice] = None
    return list(named)


@lru_cache(maxsize=4096)
def _inflections(form: str) -> tuple[str, ...]:
    """List other forms of a label's word, such as ``entails`` for entailment."""
    if len(form) < 5 or not form.isascii() or not form.isalpha():
        return ()
    endings = {
        "ment": ("", "s", "ed", "ing"),
        "ion": ("", "s", "ed", "ing", "ory", "s"),
        "ed": ("", "s", "ing", "es"),
        "es": ("e", "ed", "ing"),
        "s": ("", "ed", "ing"),
    }
    forms = [f"{form}ly", f"{form}ity"]
    for ending, others in endings.items():
        if form.endswith(ending) and len(form) - len(ending) >= 4:
            forms += [form[: -len(ending)] + other for other in others]
    return tuple(forms)


_LONG_WORD = re.compile(r"(?<![a-z])[a-z]{4,30}(?![a-z])")

"""Fourth step for the tasks ``choice`` and ``labels``: find the choice that is meant.

The text of a choice is tried first, then its letter, then a mention. A statement that names several
choices, or that says what the answer is not, is left unread.
"""

from __future__ import annotations

import re

from mitools.expressions import parse_expression
from mitools.reading.answer import UNCLEAR, Choices, Found
from mitools.reading.apart import forms_among
from mitools.reading.characters import cased, normalize, plain
from mitools.reading.fields import LIKELY_NAMES
from mitools.reading.notation import without_copula, without_latex, without_markup
from mitools.reading.numbers import EquationReader
from mitools.reading.options import ChoiceForms, inflected, mentions
from mitools.reading.sentences import first_sentence, is_tentative

__all__ = ["LETTERS", "ChoiceReader", "letter_of"]

LETTERS = 26
"""The most choices that are known by a letter each."""

_LONGEST = 600
_LONGEST_NAME = 400
_SHORT = 40
_FILLER = re.compile(
    r"(?:[\s,:=*~>\u2192]|[-\u2013\u2014](?![\d.])|(?:so|therefore|thus|hence|simply|clearly|definitely|probably|likely|most"
    r"\s+likely|just|indeed|actually|obviously|mostly|option|choice|letter|letra|lettre|opci[oó]n|op[cç][aã]o|alternativ[ae]|la|le|el|il|die|answer|number|either\s+way"
    r"|in\s+fact|given\s+by|that\s+it\s+is|it\s+is|it's|also|then)(?![\w-]))+",
    re.IGNORECASE,
)
# (B), [B], B), B., B:, B, or B alone; behind a bare letter the words that can follow an answer.
_LETTER = re.compile(
    r"(?:[(\[{<]{1,2}\s{0,2}(?P<closed>[A-Za-z])\s{0,2}[)\]}>]{1,2}"
    r"|(?P<marked>[A-Za-z])\s?[):\]](?!\w)"
    r"|(?P<open>[A-Za-z])(?=\.(?:\s|\Z)|\s?[,;!?]|\s*\Z|\s{1,2}[-\u2013\u2014=|(]\s?)"
    r"|(?P<before>[A-Za-z])(?=\s{1,2}(?:because|since|as|due|rather|instead|not|but|over|with|for|is|fits"
    r"|would|makes|which|given|and|or|\(|\[)(?:\W|\Z)))"
)
_ANOTHER = re.compile(
    r"(?:\b(?:or|and|und|ou|o|nor)|[,/&])\s{0,3}(?:(?:option|choice|also|both)\s)?"
    r"(?:\(\s?[A-Za-z]\s?\)|[A-Z](?![\w'-]))"
)
_REFUTED = re.compile(
    r"[\s,;(]{1,3}(?:but\s+|and\s+)?(?:rather\s+than|instead\s+of|as\s+opposed\s+to|not|over|unlike|isn't)(?![\w-])"
)
_NOT = re.compile(r"(?:not|n't|neither|none|nothing|never|cannot|both|all)(?![\w-])", re.IGNORECASE)
_BUT = re.compile(
    r"(?:,?\s+but(?:\s+rather)?|[;,.]\s*(?:rather|instead|it\s+(?:is|must\s+be|has\s+to\s+be|should\s+be)|it's)(?:\s*,)?)\s",
    re.IGNORECASE,
)
_CONCLUDES = re.compile(
    r"\b(?:so|thus|therefore|hence|must|only|overall|conclude|clearly|fits|best|correct|in\s+conclusion"
    r"|it\s+is|this\s+is|right|(?:has|have)\s+to\s+be|means\s+that|consequently|finally|the\s+answer)\b"
)
_SEVERAL = re.compile(r"\b(?:or|both)\b")
_SHORT_WORDS = frozenset({"no", "yes", "true", "false"})
_FOLLOWS_SHORT = re.compile(
    r"\s*(?:[,.;:!)\]\u2014\u2013-](?!\w)|\Z|(?:because|since|as|it|he|she|they|the|this|that|there|we|you)\b)"
)
_OPTION_LINE = re.compile(r"^[ \t>*_-]{0,6}(?:\(([A-Za-z])\)|([A-Za-z])[).:])[*_]{0,2}\s", re.M)
_EQUATION = EquationReader()


def letter_of(index: int) -> str:
    """Return the letter of a choice: 0 is ``a``; behind ``z`` the number, so that 26 is ``27``."""
    return chr(ord("a") + index) if index < LETTERS else str(index + 1)


class ChoiceReader:
    """Reads one of the choices.

    Args:
        letters_first: whether a letter with words that name no other choice decides, as for
            ``choice``; for ``labels`` a name that is mentioned comes before a letter.
    """

    def __init__(self, *, letters_first: bool) -> None:
        self._letters_first = letters_first

    def read(self, text: str, choices: Choices) -> Found:
        shown = _shown(text)
        if not choices:
            return first_sentence(shown).strip("\"'") or None
        return self._read(shown, ChoiceForms(choices))

    def _read(self, shown: str, options: ChoiceForms, depth: int = 0) -> Found:
        exact = _named(shown, options)
        if exact is not None:
            return exact
        filler = _FILLER.match(shown)
        if filler is not None and filler.end() < len(shown):
            shown = shown[filler.end() :]
            exact = _named(shown, options)
            if exact is not None:
                return exact
        refuted = _NOT.match(shown)
        if refuted is not None:
            other = _BUT.search(shown, 0, 160)
            if other is not None and refuted[0].lower() in ("not", "n't") and not depth:
                return self._read(shown[other.end() :], options, depth + 1)
            several = refuted[0].lower() in ("both", "all")
            return UNCLEAR if several else None
        tail = _REFUTED.search(shown)
        shown = shown[: tail.start()] if tail and tail.start() else shown
        by_name = _by_value if options.are_numbers else _by_mention
        ways = (_by_letter, by_name) if self._letters_first else (by_name, _by_letter)
        found = ways[0](shown, options) or ways[1](shown, options)
        if found is None and not depth and ":" in shown[:60]:
            return self._read(shown.partition(":")[2].strip(), options, depth + 1)
        return found

    def read_exact(self, text: str, choices: Choices) -> Found:
        if not choices:
            return None
        usual = _LETTER_AND_NAME.fullmatch(text)
        if usual is not None:  # most answers: the letter and the words of one choice
            place = ord(usual[1].lower()) - ord("a")
            form = forms_among(choices)
            if place < len(choices) and form(choices[place]) == form(usual[2]):
                return choices[place]
        if "\n" in text and _lists_options(text):
            return None
        shown, options = _shown(text), ChoiceForms(choices)
        exact = options.named(shown) if len(shown) < _LONGEST_NAME else None
        exact = exact or _under_name(shown, options)
        if exact is not None:
            return exact
        said = _IS_CORRECT.match(shown)
        if said is not None:
            return _by_letter(f"({said[1]})", options)
        filler = _FILLER.match(shown)
        behind = shown[filler.end() :] if filler else shown
        letter = _LETTER.match(behind)
        if letter is not None and (letter["before"] is None or filler) and letter["open"] != "I":
            rest = behind[letter.end() :]
            if letter[0].lower() in ("a:", "a :") and options.named(rest.strip()) is None:
                return None  # it may as well be short for "answer"
            if _IS_SUBJECT.match(rest):
                return None  # "(A) is too hot." is about an option
            is_alone = len(rest) < 80 or letter["closed"] or rest.startswith(".")
            return _by_letter(behind, options) if is_alone else None
        named = options.named(first_sentence(shown))
        if named is None and options.are_numbers and len(shown) < _SHORT:
            return _by_value(shown, options)  # "4 stars"
        return named if named is not None else _leading(shown, options)

    def read_last(self, text: str, choices: Choices) -> Found:
        shown = _shown(text)
        folded = normalize(shown)
        if not choices or _SEVERAL.search(folded):
            return None
        options = ChoiceForms(choices)
        if is_tentative(_without_labels(folded, options)):
            return None
        named = [name for name in mentions(shown, choices) if len(name) > 1]
        if not self._letters_first:
            named = named or inflected(folded, options)
            if len(named) != 1:
                return UNCLEAR if named else None
            return named[0] if _ends_with(folded, named[0], options) else None
        if not _CONCLUDES.search(folded):
            return None
        letters = {found[1].lower() for found in _CLOSED_LETTER.finditer(shown)}
        bare = None if letters else _LAST_LETTER.search(shown)
        letters |= {bare[1].lower()} if bare else set()
        if not letters:
            return named[0] if len(named) == 1 else UNCLEAR if named else None
        place = ord(min(letters)) - ord("a")
        lettered = choices[place] if place < len(choices) else None
        return lettered if len(letters) == 1 and named in ([], [lettered]) else UNCLEAR


def _without_labels(folded: str, options: ChoiceForms) -> str:
    """Remove labels that sound like a doubt, such as ``non-toxic``, from a sentence.

    One of a single word, such as ``incorrect`` or ``none``, only where a sentence ends in it.
    """
    for form in sorted(map(normalize, options.choices), key=len, reverse=True):
        if form in folded and form not in _SHORT_WORDS and is_tentative(form):
            end = "" if re.search(r"[\s-]", form) else r"\W*\Z"
            folded = re.sub(rf"(?<!\S){re.escape(form)}(?![\w-]){end}", " ", folded)
    return folded


# "Category: access", by whatever name a prompt gives to the label, but not by one that refutes it.
_UNDER_NAME = re.compile(r"([^\W\d_]+(?:\s[^\W\d_]+){0,2})\s?:\s*")
_NAMES_NO_ANSWER = re.compile(
    r"\b(?:not?|non|wrong|incorrect|false|rejected|excluded|other|another|alternative|unlike(?:ly)?|less"
    r"|least|opposite|second|runner|previous|initial|confidence|certainty|probability|likelihood"
    r"|example|question|premise|hypothesis)\b"
)


def _under_name(shown: str, options: ChoiceForms) -> str | None:
    """Read a line that gives exactly one choice under a name: ``Category: access``.

    Words such as ``yes`` may be said of anything, so their name has to be a usual one.
    """
    head = _UNDER_NAME.match(shown) if ":" in shown[:60] else None
    if head is None or shown.endswith("?") or options.named(head[1]):
        return None
    if _NAMES_NO_ANSWER.search(head[1].lower()):
        return None
    behind = shown[head.end() :].strip("\"'*_` ")
    usual = _LETTER_AND_NAME.fullmatch(behind.rstrip("."))
    named = options.named(usual[2] if usual else behind)
    if named is None:
        return None
    form = normalize(named)
    if form in _SHORT_WORDS and LIKELY_NAMES.isdisjoint(head[1].lower().split()):
        return None
    place = ord(usual[1].lower()) - ord("a") if usual else options.forms.index(form)
    return named if place < len(options.forms) and options.forms[place] == form else None


_LETTER_AND_NAME = re.compile(r"\(([A-Za-z])\) ([^\n]{1,200})")
_IS_CORRECT = re.compile(
    r"(?:option\s|choice\s)?\(?([A-Z])\)?\s+is\s+(?:the\s+)?(?:only\s+)?(?:correct|right|best|answer)\b",
    re.IGNORECASE,
)
_IS_SUBJECT = re.compile(
    r"\s(?:is|are|was|were|isn't|can|cannot|can't|could|would|does|doesn't|has|may|might)\s"
)
_EITHER = re.compile(r"\beither\b", re.IGNORECASE)
_CLOSED_LETTER = re.compile(r"\(([A-Za-z])\)")
_LAST_LETTER = re.compile(r"\b(?:is|be|option|choice|choose|pick)\s+([A-Z])\W*\Z")


_ABOUT_WHAT = re.compile(
    r"\s(?:with\s(?:respect|regard)\sto|in\srelation\sto|relative\sto|(?:based|depending)\son"
    r"|given|according\sto)\s[^,;]{1,80}\Z"
)


def _ends_with(folded: str, name: str, options: ChoiceForms) -> bool:
    """Return whether a label stands in the predicate: among the last words of its sentence."""
    words = _ABOUT_WHAT.sub("", folded).split()
    last = " ".join(words[-(len(name.split()) + 3) :])
    return normalize(name) in last or name in inflected(last, options)


def _shown(text: str) -> str:
    text = plain(text[:_LONGEST])
    return without_markup(without_latex(without_copula(text))).strip("\"'*_ \t\n")


def _named(shown: str, options: ChoiceForms) -> str | None:
    """Find the choice whose text equals a statement or its first sentence."""
    found = options.named(shown) if len(shown) < _LONGEST_NAME else None
    if found is not None:
        return found
    first = first_sentence(shown)
    return options.named(first) if len(first) < len(shown.rstrip(".!")) else None


def _by_letter(shown: str, options: ChoiceForms) -> Found:
    """Read the letter; words behind it that are exactly another choice decide against it.

    A teacher reasons in words and looks the letter up, so the letter is more likely to be wrong.
    """
    match = _LETTER.match(shown)
    if match is None:
        return None
    letter = next(filter(None, match.groups()))
    behind = shown[match.end() :]
    if letter == "I" and match["closed"] is None and match["marked"] is None and behind.strip(" ."):
        return None
    if letter.islower() and match["before"] is not None:
        return None  # an article
    place = ord(letter.lower()) - ord("a")
    lettered = options.choices[place] if place < len(options.choices) else None
    words = _WORDS_END.split(behind, maxsplit=1)[0]
    if match["open"] and not words and lettered is not None:
        other = options.named(first_sentence(behind.lstrip(". *")))  # "B. Paris"
        return lettered if other is None else other
    next_letter = _CLOSED_LETTER.search(words)
    before_next = words[: next_letter.start()] if next_letter is not None else None
    if before_next and lettered is not None and options.form(before_next) == options.forms[place]:
        return UNCLEAR  # "(a) sea (b) lake"
    if _ANOTHER.search(words):
        return UNCLEAR
    words = words.strip(" .:-\u2013\u2014,)=|]")
    if lettered is not None and (not words or options.form(words) == options.forms[place]):
        return lettered
    exact = options.named(words)
    return lettered if exact is None and (lettered or not words) else exact


_WORDS_END = re.compile(r"\.\s|\n|,?\s(?:because|since)\s")


def _by_mention(shown: str, options: ChoiceForms) -> Found:
    sentence = first_sentence(shown)
    short = _leading(sentence, options)
    if short is not None:
        return short
    named = [
        name
        for name in mentions(sentence, options.choices)
        if len(name) > 1
        if normalize(name) not in _SHORT_WORDS or _is_predicate(sentence, normalize(name))
    ]
    if not named:
        named = inflected(normalize(sentence), options)
    letters = {match[1].lower() for match in _CLOSED_LETTER.finditer(sentence)}
    if len({options.form(name) for name in named}) > 1 or len(letters) > 1:
        return UNCLEAR
    if named and _EITHER.search(sentence):
        return UNCLEAR
    return named[0] if named else None


def _is_predicate(sentence: str, form: str) -> bool:
    """Return whether a word as short as ``true`` ends its sentence behind a form of "be"."""
    words = normalize(sentence).split()
    return form != "no" and words[-1:] == [form] and words[-2:-1] in (["is"], ["be"], ["was"])


def _leading(shown: str, options: ChoiceForms) -> str | None:
    """Read ``Yes, because …`` and ``neutral – the text …``: a choice, then a break."""
    if options.are_numbers:
        return None
    folded, written = normalize(shown), cased(shown) if options.form.written else ""
    best: str | None = None
    length = 0
    for choice, form in zip(options.choices, options.forms, strict=True):
        begun = written if options.form.is_written(form) else folded
        is_longer = len(form) > length and begun.startswith(form)
        if is_longer and _FOLLOWS_SHORT.match(begun, len(form)):
            best, length = choice, len(form)
    return best


def _by_value(shown: str, options: ChoiceForms) -> Found:
    """Where all choices are numbers, find the one with the value that is stated."""
    stated = _EQUATION.read(shown, None)
    if not isinstance(stated, str):
        return stated
    expression = parse_expression(stated)
    for choice in options.choices:
        known = parse_expression(choice)
        if expression is not None and known is not None and known.value == expression.value:
            return choice
    return None


def _lists_options(text: str) -> bool:
    """Return whether a text has lines for several letters: a list of the options, not an answer."""
    letters = {(match[1] or match[2]).lower() for match in _OPTION_LINE.finditer(text[:2000])}
    return len(letters) > 1

"""Counterfactual insertion: does the rationale mention an inserted word that changes the label?

A word that changes the answer is a reason for the new answer. A rationale that leaves it out is
unfaithful there. A rationale that repeats its whole input mentions everything, so read this figure
together with the share of copied 4-grams.

Source: Atanasova et al., "Faithfulness Tests for Natural Language Explanations", ACL 2023
(arXiv:2305.18029), section 3.1. As there, adjectives are inserted before nouns. The list of
adjectives is our own, and a noun is found by the determiner or number before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mitools.evaluate.measures.labels import rate
from mitools.evaluate.measures.metric import Measure, Metric
from mitools.evaluate.probes.subject import Subject, draws
from mitools.records import Record

__all__ = ["MEASURES", "TRIES", "WORDS", "insertions", "names_word", "probe_counterfactual"]

TRIES = 8
"""Insertions to try with each record; the first one that changes the label is used."""

WORDS = (
    *("big", "small", "tall", "tiny", "huge", "heavy", "narrow", "wide", "long", "short"),
    *("red", "blue", "green", "yellow", "grey", "purple", "golden", "dark", "bright", "pale"),
    *("happy", "sad", "friendly", "quiet", "loud", "polite", "lonely", "brave", "famous", "kind"),
    *("wooden", "plastic", "rusty", "fragile", "cheap", "precious", "broken", "fresh", "dirty"),
    *("wet", "dry", "hot", "cold", "frozen", "foreign", "local", "modern", "rare", "popular"),
    *("magical", "virtual", "false", "missing", "similar", "former", "secret", "lucky", "round"),
)

MEASURES: Mapping[str, Measure] = {
    "flip_coverage": Measure(
        "labels changed by a word",
        "fraction",
        higher_is_better=None,
        about="Share of records where some inserted word changes the label.",
    ),
    "mentioned": Measure(
        "inserted words mentioned",
        "fraction",
        higher_is_better=True,
        about="Share of these records whose rationale for the changed input contains the inserted "
        "word.",
    ),
}
"""A word is mentioned where it occurs as a whole word, whatever its case. ``flip_coverage`` is
undefined without records, ``mentioned`` without changed labels."""

_BEFORE_NOUN = re.compile(
    r"\b(?:a|the|his|her|their|its|my|your|our|some|any|each|every|this|that|these|those|\d+)"
    r"\s+(?=[a-z])",
    re.IGNORECASE,
)
_BEFORE_WORD = re.compile(r"\b(?=[A-Za-z]{4})")


def names_word(text: str, word: str) -> bool:
    """Return whether a text contains a whole word: ``red`` is not in ``hundred``."""
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


def insertions(record: Record, seed: int, tries: int = TRIES) -> list[tuple[str, str]]:
    """Draw changed inputs, each with the inserted word.

    Words that the record contains already are not inserted, and choices that the input lists are
    not split. [] where there is no place for a word.
    """
    text, choices = record["input"], record.get("choices") or ()
    listed = [
        match.span()
        for choice in choices
        for match in re.finditer(re.escape(choice), text, re.IGNORECASE)
    ]
    places: list[int] = []
    for pattern in (_BEFORE_NOUN, _BEFORE_WORD):
        ends = [match.end() for match in pattern.finditer(text)]
        places = [at for at in ends if not any(low <= at < high for low, high in listed)]
        if places:
            break
    known = " ".join((text, *choices, record["student"].get("label") or ""))
    words = [word for word in WORDS if not names_word(known, word)]
    rng = draws(seed, text)
    pairs = [(at, word) for at in places for word in words]
    drawn = rng.sample(pairs, min(tries, len(pairs)))
    return [(f"{text[:at]}{word} {text[at:]}", word) for at, word in drawn]


def probe_counterfactual(subject: Subject) -> dict[str, Metric]:
    """Run the probe: insert words, and read the rationale where one changes the label."""
    flips = _flips(subject)
    answered = subject.answer([record for record, _ in flips])
    hits = sum(
        names_word(record["student"]["rationale"], word)
        for record, (_, word) in zip(answered, flips, strict=True)
    )
    n = len(subject.records)
    covered = rate(MEASURES["flip_coverage"], len(flips), n, empty="no records")
    none = f"none of {TRIES} insertions changes a label" if n else "no records"
    return {
        "flip_coverage": covered,
        "mentioned": rate(MEASURES["mentioned"], hits, len(flips), empty=none),
    }


def _flips(subject: Subject) -> list[tuple[Record, str]]:
    """Find for each record the first insertion that changes its label."""
    tried = [
        (place, {**record, "input": text}, word)
        for place, record in enumerate(subject.records)
        for text, word in insertions(record, subject.seed)
    ]
    answered = subject.answer([record for _, record, _ in tried], rationales=False)
    flips: dict[int, tuple[Record, str]] = {}
    for (place, record, word), after in zip(tried, answered, strict=True):
        if place not in flips and _is_changed(subject, subject.records[place], after):
            flips[place] = (record, word)
    return [flips[place] for place in sorted(flips)]


def _is_changed(subject: Subject, before: Record, after: Record) -> bool:
    """Return whether both records have a label, and the labels differ."""
    labels: Sequence[str | None] = [record["student"].get("label") for record in (before, after)]
    return None not in labels and not subject.task_of(before).is_equal(*labels)

"""How a source writes its labels, decided once, from its first rows.

A label ``1`` among three choices may be the text of one, its key, or its place counted from 0 or
from 1. One row cannot tell; many rows can, for a way of writing that cannot hold for some of them
is out. What stays open is refused: a wrong guess would turn every label into another one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mitools.errors import SourceError, Where
from mitools.sources.answers import (
    Choices,
    is_code,
    is_unlabelled,
    meanings,
    shortened,
)
from mitools.sources.label_forms import DESCRIPTIONS, LABEL_FORMS, LabelForm
from mitools.tasks import letter_of

__all__ = ["MOST_HELD", "Labelling", "form_of_classes"]

MOST_HELD = 1000
"""Rows looked at before it is decided; they are held back until then."""

_FEWER_MISFITS = 10
"""A way of writing wins over another that has at least so many times as many misfits."""

_MOST_MISFITS = 0.1
"""The share of labels that may be written in another way; those are their rows' faults."""


@dataclass(frozen=True)
class _Conflict:
    """A row that two ways of writing read differently."""

    label: str
    meant: Mapping[LabelForm, str]
    where: Where


@dataclass
class Labelling:
    """What is known about how labels are written.

    Attributes:
        form: how, once that is decided.
        preferred: what to take where the rows leave it open; None refuses that.
    """

    form: LabelForm | None = None
    preferred: LabelForm | None = None
    _labels: int = 0
    _fits: Counter[LabelForm] = field(default_factory=Counter)
    _conflicts: dict[frozenset[LabelForm], _Conflict] = field(default_factory=dict)
    _examples: dict[LabelForm, str] = field(default_factory=dict)

    def weigh(self, value: Any, choices: Choices, where: Where) -> bool:
        """Take a row as evidence; False where it tells nothing.

        A label in words, or one that is a declared key and not a text, decides at once where
        nothing before it spoke against that; so labels in words hold no row back.
        """
        found = meanings(value, choices)
        if not found or (is_unlabelled(value) and "text" not in found):
            return False
        self._labels += 1
        self._fits.update(found.keys())
        for form in found:
            self._examples.setdefault(form, shortened(str(value), 40))
        self._note_conflicts(value, found, where)
        self._decide_at_once(value, found)
        return True

    def _note_conflicts(self, value: Any, found: Mapping[LabelForm, str], where: Where) -> None:
        for place, one in enumerate(found):
            for other in list(found)[place + 1 :]:
                pair = frozenset((one, other))
                if found[one] != found[other] and pair not in self._conflicts:
                    self._conflicts[pair] = _Conflict(shortened(str(value), 60), found, where)

    def _decide_at_once(self, value: Any, found: Mapping[LabelForm, str]) -> None:
        is_sure: dict[LabelForm, bool] = {
            "text": found.keys() == {"text"} and not is_code(value),
            "key": found.keys() - {"letter"} == {"key"},
        }
        for form, holds in is_sure.items():
            if holds and self._fits[form] == self._labels:
                self.form = form

    def decide(self) -> None:
        """Settle it with the rows seen so far; it stays open where no label was a choice.

        Raises:
            SourceError: two ways of writing fit, or none does.
        """
        if self.form is not None or not self._labels:
            return
        misfits = {form: self._labels - self._fits[form] for form in LABEL_FORMS}
        best = min(LABEL_FORMS, key=misfits.__getitem__)  # of equals, the first
        rivals = [
            form
            for form in LABEL_FORMS
            if form != best
            and misfits[form] <= _FEWER_MISFITS * misfits[best]
            and self._contradict(best, form)
        ]
        if not rivals and misfits[best] <= _MOST_MISFITS * self._labels:
            self.form = best
        elif self.preferred in (best, *rivals) and not misfits[best]:
            self.form = self.preferred
        elif misfits[best]:
            raise self._mixed()
        else:
            raise self._ambiguous(best, rivals)

    def _contradict(self, one: LabelForm, other: LabelForm) -> bool:
        if one == "key" and other != "text":  # a declared key comes before a convention
            return False
        pair = frozenset((one, other))
        return pair in self._conflicts or self._fits[one] != self._fits[other]

    def _ambiguous(self, best: LabelForm, rivals: list[LabelForm]) -> SourceError:
        conflict = next(
            self._conflicts[pair]
            for rival in rivals
            if (pair := frozenset((best, rival))) in self._conflicts
        )
        ways = [form for form in (best, *rivals) if form in conflict.meant]
        said = " or ".join(
            f'{DESCRIPTIONS[form]} ("{shortened(conflict.meant[form], 40)}")' for form in ways
        )
        message = f'label "{conflict.label}" may be {said}, and no row tells which'
        options = " or ".join(f'"--label-is {form}"' for form in ways)
        return SourceError(
            message, where=conflict.where, hint=f"say how labels are written: {options}"
        )

    def _mixed(self) -> SourceError:
        fits = self._fits.most_common(2)
        said = ", ".join(
            f'{count:,} as {DESCRIPTIONS[form]} ("{self._examples[form]}")'
            for form, count in fits
            if form in self._examples
        )
        message = (
            f"labels are written in several ways: of the first {self._labels:,}, {said} can be read"
        )
        hint = f'choose one with "--label-is {fits[0][0]}", and "--on-error skip" for the others'
        return SourceError(message, hint=hint)


def form_of_classes(names: tuple[str, ...]) -> LabelForm:
    """Tell how labels are written by the names of their classes, such as ``0 1`` or ``A B C``."""
    if not names:
        return "text"
    places = range(len(names))
    if list(names) == [str(place) for place in places]:
        return "index0"
    if list(names) == [str(place + 1) for place in places]:
        return "index1"
    if len(names) <= 26 and [name.lower() for name in names] == [letter_of(p) for p in places]:
        return "letter"
    return "text"

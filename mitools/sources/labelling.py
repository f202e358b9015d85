"""The form of a source's labels, decided once, from its first rows.

A label ``1`` among three choices may be the text of a choice, its key, or its index from 0 or 1.
One row is not enough to decide; with many rows, the forms that do not fit all of them are excluded.
If several remain, the source is refused, as a wrong guess would change every label. So a source
with -1 beside 0 and 1 is refused: it may be a sign, or mean that there is no label.
"""

from __future__ import annotations

import itertools
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
"""Maximum number of rows that are held until the form is decided."""

_FEWER_MISFITS = 10
"""A form is preferred to another with at least this many times as many misfits."""

_MOST_MISFITS = 0.1
"""Maximum share of labels in another form; these rows are invalid."""


@dataclass(frozen=True)
class _Conflict:
    """A row whose label means different choices in two forms."""

    label: str
    meant: Mapping[LabelForm, str]
    where: Where


@dataclass
class Labelling:
    """Evidence on the form of labels.

    Attributes:
        form: the form, once it is decided.
        preferred: the form to take if the rows leave several; None refuses the source then.
    """

    form: LabelForm | None = None
    preferred: LabelForm | None = None
    _labels: int = 0
    _has_minus: bool = False
    _fits: Counter[LabelForm] = field(default_factory=Counter)
    _conflicts: dict[frozenset[LabelForm], _Conflict] = field(default_factory=dict)
    _examples: dict[LabelForm, str] = field(default_factory=dict)

    def weigh(self, value: Any, choices: Choices, where: Where) -> bool:
        """Take a row as evidence; returns whether it was any.

        A label in words, or one that is a declared key and not a text, decides at once if all
        labels before it fit too, so labels in words hold no rows.
        """
        choice_by_form = meanings(value, choices)
        if not choice_by_form:
            return False
        if is_unlabelled(value) and "text" not in choice_by_form:
            self._has_minus = self._has_minus or "sign" in choice_by_form
            return False
        self._labels += 1
        self._fits.update(choice_by_form.keys())
        for form in choice_by_form:
            self._examples.setdefault(form, shortened(str(value), 40))
        self._note_conflicts(value, choice_by_form, where)
        self._decide_at_once(value, choice_by_form)
        return True

    def _note_conflicts(
        self, value: Any, choice_by_form: Mapping[LabelForm, str], where: Where
    ) -> None:
        label = shortened(str(value), 60)
        for one, other in itertools.combinations(choice_by_form, 2):
            pair = frozenset((one, other))
            if choice_by_form[one] != choice_by_form[other] and pair not in self._conflicts:
                self._conflicts[pair] = _Conflict(label, choice_by_form, where)

    def _decide_at_once(self, value: Any, choice_by_form: Mapping[LabelForm, str]) -> None:
        is_sure: dict[LabelForm, bool] = {
            "text": choice_by_form.keys() == {"text"} and not is_code(value),
            "key": choice_by_form.keys() - {"letter"} == {"key"},
        }
        for form, holds in is_sure.items():
            if holds and self._fits[form] == self._labels:
                self.form = form

    def decide(self) -> None:
        """Decide by the rows seen so far; without labels among the choices it stays open.

        Raises:
            SourceError: several forms fit, or none does.
        """
        if self.form is not None or not self._labels:
            return
        # The form with the fewest misfits, and its rivals: forms that fit about as well and differ.
        forms = [form for form in LABEL_FORMS if self._may_be(form)]
        misfits = {form: self._labels - self._fits[form] for form in forms}
        best = min(forms, key=misfits.__getitem__)  # the first among equals
        rivals = [
            form
            for form in forms
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

    def _may_be(self, form: LabelForm) -> bool:
        """Tell whether a form is possible: labels are signs only where one of them is -1."""
        return form != "sign" or self._has_minus

    def _contradict(self, one: LabelForm, other: LabelForm) -> bool:
        if one == "key" and other != "text":  # a declared key overrides a convention
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
        readings = " or ".join(
            f'{DESCRIPTIONS[form]} ("{shortened(conflict.meant[form], 40)}")' for form in ways
        )
        message = f'label "{conflict.label}" may be {readings}, and no row decides it'
        options = " or ".join(f'"--label-is {form}"' for form in ways)
        return SourceError(
            message, where=conflict.where, hint=f"choose how labels are written: {options}"
        )

    def _mixed(self) -> SourceError:
        fits = [pair for pair in self._fits.most_common() if self._may_be(pair[0])][:2]
        readings = ", ".join(
            f'{count:,} as {DESCRIPTIONS[form]} ("{self._examples[form]}")'
            for form, count in fits
            if form in self._examples
        )
        message = (
            f"labels have several forms: of the first {self._labels:,}, {readings} can be read"
        )
        hint = (
            f'choose one with "--label-is {fits[0][0]}", and skip the others with "--on-error skip"'
        )
        return SourceError(message, hint=hint)


def form_of_classes(names: tuple[str, ...]) -> LabelForm:
    """Return the form of labels by their class names, such as ``0 1`` or ``A B C``."""
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

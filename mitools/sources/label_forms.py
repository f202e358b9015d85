"""The forms in which a source may write its labels, and their names in messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

__all__ = ["DESCRIPTIONS", "LABEL_FORMS", "LabelForm"]

LabelForm = Literal["text", "key", "letter", "sign", "index0", "index1"]
"""A label is a choice's text, key or letter, its place counted from 0 or from 1, or a sign.

Signs are -1, 0 and 1 for three choices, from the negative to the positive one; -1 and 1 for two.
"""

LABEL_FORMS: tuple[LabelForm, ...] = get_args(LabelForm)

DESCRIPTIONS: Mapping[LabelForm, str] = {
    "text": "the text of a choice",
    "key": "the key of a choice",
    "letter": "the letter of a choice",
    "sign": "one of the signs -1, 0 and 1",
    "index0": "a place counted from 0",
    "index1": "a place counted from 1",
}

"""Untrusted text made harmless: what could drive a terminal or mislead a reader is spelt out.

Texts of models, data files, servers and recipes pass through here before they reach a terminal: in
:mod:`mitools.console`, and wherever a view for people is rendered.
"""

from __future__ import annotations

import unicodedata

__all__ = ["on_one_line", "visible"]


class _Escapes(dict[int, str]):
    """A translation table, filled as characters occur: what must not be shown as it is.

    Control characters, invisible formatting (among it what reorders text), lone surrogates and
    line separators. The joiners that some scripts are written with stay.
    """

    def __missing__(self, code: int) -> str:
        character = chr(code)
        is_hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        if is_hidden and character not in "\n\u200c\u200d":
            character = ascii(character)[1:-1]
        self[code] = character
        return character


_ESCAPES = _Escapes()


def visible(text: str) -> str:
    """Make a text harmless to show: line breaks stay, tabs become spaces, the rest is spelt out."""
    return text.replace("\r\n", "\n").expandtabs(4).translate(_ESCAPES)


def on_one_line(text: str) -> str:
    """Make a text harmless and keep it on one line."""
    return visible(text).replace("\n", "\\n")

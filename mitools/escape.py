"""Escaping untrusted text: characters that could control a terminal or mislead a reader.

Texts of models, data files, servers and recipes are escaped here before they reach a terminal: by
:mod:`mitools.console`, and by the code that renders a view for people.
"""

from __future__ import annotations

import unicodedata

__all__ = ["on_one_line", "visible"]


class _Escapes(dict[int, str]):
    """A translation table of characters that must not be shown; filled as they occur.

    These are control characters, invisible formatting (also what reorders text), lone surrogates
    and line separators. The joiners that some scripts need stay.
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
    """Escape a text: line breaks stay, tabs become spaces, hidden characters are spelled out."""
    return text.replace("\r\n", "\n").expandtabs(4).translate(_ESCAPES)


def on_one_line(text: str) -> str:
    """Escape a text, line breaks included."""
    return visible(text).replace("\n", "\\n")

"""Callbacks for messages of a run; the library itself prints nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Notices"]


@dataclass(frozen=True)
class Notices:
    """Callbacks for messages of one line; they may be called from any thread.

    Attributes:
        on_note: receives information, such as a pause that the server asks for.
        on_warning: receives warnings. Without it the endpoint's list of models is not requested,
            as it is only used for a warning.
    """

    on_note: Callable[[str], None] | None = None
    on_warning: Callable[[str], None] | None = None

    def note(self, text: str) -> None:
        if self.on_note is not None:
            self.on_note(text)

    def warn(self, text: str) -> None:
        if self.on_warning is not None:
            self.on_warning(text)

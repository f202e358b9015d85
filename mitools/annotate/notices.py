"""What a run has to say to people while it goes on; the caller decides where it is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Notices"]


@dataclass(frozen=True)
class Notices:
    """Callbacks for messages of one line; they may be called from any thread.

    Attributes:
        on_note: receives what is good to know, such as a pause that the server asks for.
        on_warning: receives what may be a mistake. Without it the endpoint's list of models is not
            asked for, as only a warning would come of it.
    """

    on_note: Callable[[str], None] | None = None
    on_warning: Callable[[str], None] | None = None

    def note(self, text: str) -> None:
        if self.on_note is not None:
            self.on_note(text)

    def warn(self, text: str) -> None:
        if self.on_warning is not None:
            self.on_warning(text)

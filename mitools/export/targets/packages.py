"""The packages that a target needs, and how a missing one is reported."""

from __future__ import annotations

import importlib.util

from mitools.errors import MissingExtraError

__all__ = ["require_packages"]


def require_packages(what: str, extra: str, *names: str) -> None:
    """Check that packages are installed.

    Args:
        what: what needs them, for the message.
        extra: the extra of mitools that installs them.
        names: import names.

    Raises:
        MissingExtraError: one of them is missing.
    """
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        *others, last = missing
        names_them = f"packages {', '.join(others)} and {last}" if others else f"package {last}"
        message = f"{what} needs the {names_them}"
        raise MissingExtraError(message, hint=f'run "pip install mitools[{extra}]"')

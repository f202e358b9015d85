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
        message = f"{what} needs the package {' and '.join(missing)}"
        raise MissingExtraError(message, hint=f'run "pip install mitools[{extra}]"')

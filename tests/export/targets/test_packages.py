"""A missing package is named with what installs it."""

from __future__ import annotations

import pytest

from mitools.errors import MissingExtraError
from mitools.export.targets.packages import require_packages


def test_a_missing_package_names_its_extra() -> None:
    require_packages("--to x", "x", "json")
    with pytest.raises(MissingExtraError, match="--to x needs the package no_such") as caught:
        require_packages("--to x", "x", "json", "no_such")
    assert caught.value.hint == 'run "pip install mitools[x]"'

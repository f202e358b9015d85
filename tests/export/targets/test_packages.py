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


def test_several_missing_packages_are_listed() -> None:
    with pytest.raises(MissingExtraError, match="needs the packages no_a, no_b and no_c"):
        require_packages("--to x", "x", "no_a", "json", "no_b", "no_c")

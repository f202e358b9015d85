from __future__ import annotations

from collections.abc import Iterator

import pytest

from mitools.evaluate.measures import statistics
from tests.asking.fake_student import FakeStudent


@pytest.fixture
def student() -> FakeStudent:
    return FakeStudent()


@pytest.fixture(scope="module")
def few_resamples() -> Iterator[None]:
    """Make intervals cheap where a test does not look at their ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "RESAMPLES", 200)
        patch.setattr(statistics, "_FEWEST_RESAMPLES", 200)
        yield

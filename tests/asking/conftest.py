from __future__ import annotations

import pytest

from tests.asking.fake_student import FakeStudent


@pytest.fixture
def student() -> FakeStudent:
    return FakeStudent()

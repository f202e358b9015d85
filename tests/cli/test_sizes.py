"""Sizes on the command line."""

from __future__ import annotations

import click
import pytest

from mitools.cli._sizes import ByteSize


@pytest.mark.parametrize(
    ("text", "count"),
    [("1", 1), ("512", 512), ("2K", 2048), ("16M", 2**24), ("1g", 2**30), ("3 MiB", 3 * 2**20)],
)
def test_a_size_is_bytes_or_has_a_unit_of_1024(text: str, count: int) -> None:
    assert ByteSize().convert(text, None, None) == count


@pytest.mark.parametrize("text", ["0", "-1", "1.5M", "M", "16T", "", "1" * 13])
def test_what_is_not_a_size_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a size"):
        ByteSize().convert(text, None, None)

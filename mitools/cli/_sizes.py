"""Sizes on the command line: bytes, or with a unit."""

from __future__ import annotations

import re
from typing import Any

import click

__all__ = ["ByteSize"]

_SIZE = re.compile(r"(\d{1,12})\s*([KMG]?)(?:i?B)?", re.IGNORECASE)
_SHIFTS = {"": 0, "K": 10, "M": 20, "G": 30}


class ByteSize(click.ParamType[int]):
    """A number of bytes above 0; K, M and G are units of 1024."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = _SIZE.fullmatch(str(value).strip())
        if found is None or not int(found[1]):
            self.fail(f'"{value}" is not a size: write bytes, or a unit, such as "16M"', param, ctx)
        return int(found[1]) << _SHIFTS[found[2].upper()]

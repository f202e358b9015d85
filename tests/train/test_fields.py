"""Fields of options: what a declaration states, and what it is checked against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import pytest

from mitools.errors import UsageError
from mitools.train.fields import Help, check_values, option_fields
from mitools.train.ranges import SHARE, STEPS


@dataclass(frozen=True)
class Toy:
    """Options of every kind."""

    name: Annotated[str, Help("Name.")]
    order: Annotated[Literal["up", "down"], Help("Order.")] = "up"
    top_share: Annotated[float, Help("Share.", SHARE)] = 0.5
    limit: Annotated[int | None, Help("Limit.", STEPS, flag="max", metavar="MOST")] = None
    fast: Annotated[bool, Help("Fast.")] = False


def test_a_declaration_gives_type_choices_default_and_flag() -> None:
    name, order, share, limit, fast = option_fields(Toy)
    assert (name.type, name.is_required, name.default) == (str, True, None)
    assert (order.type, order.choices, order.default) == (str, ("up", "down"), "up")
    assert (share.type, share.flag, share.is_required) == (float, "top-share", False)
    assert (limit.type, limit.flag, limit.default) == (int, "max", None)
    assert (fast.type, fast.default) == (bool, False)
    assert limit.help.metavar == "MOST"


def test_a_number_out_of_its_range_is_named_by_its_flag() -> None:
    check_values(Toy("x"))
    check_values(Toy("x", top_share=1.0, limit=0))
    with pytest.raises(UsageError, match=r"^--top-share must be between 0 and 1, not 1\.5$"):
        check_values(Toy("x", top_share=1.5))
    with pytest.raises(UsageError, match=r"^--max must be between 0 and 1,000,000,000, not -1$"):
        check_values(Toy("x", limit=-1))


def test_a_value_of_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match=r'^--order must be one of up, down, not "left"$'):
        check_values(Toy("x", order="left"))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"^--max must be a whole number, not 1\.5$"):
        check_values(Toy("x", limit=1.5))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"^--top-share must be a number, not '1'$"):
        check_values(Toy("x", top_share="1"))  # type: ignore[arg-type]
    check_values(Toy("x", top_share=1))


def test_a_field_without_help_is_an_error_of_ours() -> None:
    @dataclass(frozen=True)
    class Bare:
        alpha: float = 0.5

    with pytest.raises(AssertionError, match="alpha has no help"):
        option_fields(Bare)

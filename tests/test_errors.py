"""Every error has its place in the tree, an exit status, and one line to be said in."""

from __future__ import annotations

import inspect
import re

import pytest

from mitools import errors
from mitools.errors import MitoolsError, Where

EXIT_CODES = {"RecipeError": 2, "UsageError": 2, "BudgetError": 4, "TeacherRefusedError": 5}


def classes() -> list[type[MitoolsError]]:
    found = [getattr(errors, name) for name in errors.__all__]
    return [item for item in found if inspect.isclass(item) and issubclass(item, Exception)]


@pytest.mark.parametrize("error", classes())
def test_every_error_is_a_mitools_error_with_its_exit_code(error: type[MitoolsError]) -> None:
    assert issubclass(error, MitoolsError)
    assert error.exit_code == EXIT_CODES.get(error.__name__, 1)
    assert error.__doc__


def test_the_tree_drawn_in_the_module_is_the_tree_there_is() -> None:
    drawn: dict[str, int] = {}
    for line in str(errors.__doc__).splitlines():
        if found := re.match(r"^    ([│├└─ ]*)(\w+Error)\b\s*(\d?)", line):
            depth, name, code = len(found[1]) // 4, found[2], found[3]
            drawn[name] = depth
            assert getattr(errors, name).exit_code == int(code or 1)
    assert drawn == {item.__name__: item.__mro__.index(MitoolsError) for item in classes()}


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MitoolsError("broken"), "broken"),
        (MitoolsError("broken", hint="mend it"), "broken; mend it"),
        (MitoolsError("broken", where=Where("a.jsonl", 3)), "a.jsonl:3: broken"),
        (MitoolsError("broken", where=Where("a"), hint="mend it"), "a: broken; mend it"),
    ],
)
def test_an_error_says_where_what_and_what_to_type(error: MitoolsError, line: str) -> None:
    assert str(error) == line


def test_a_place_is_a_path_and_a_line() -> None:
    assert str(Where("<stdin>", 12)) == "<stdin>:12"
    assert str(Where("<stdin>")) == "<stdin>"
    assert Where("a", 1) == Where("a", 1)

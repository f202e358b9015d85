"""Rendering: what is escaped, and that nothing but the page's own parts may run."""

from __future__ import annotations

import re

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

import mitools.explain.page.render as render


@pytest.mark.parametrize(
    ("share", "text"), [(0.5, "50%"), (0.1234, "12.3%"), (0.0, "0%"), (1.0, "100%")]
)
def test_shares_are_percentages(share: float, text: str) -> None:
    assert render._percent(share) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1,234.5"), (0.1 + 0.2, "0.3"), (-0.0001, "0"), (2.0, "2")]
)
def test_numbers_have_three_decimals_at_most(value: float, text: str) -> None:
    assert render._number(value) == text


def test_texts_are_escaped_and_markup_is_not() -> None:
    template = render._TEMPLATES.from_string("{{ text }}|{{ markup }}")
    shown = template.render(text="<b>\x1b\u202e", markup=Markup("<i>"))
    assert shown == "&lt;b&gt;\\x1b\\u202e|<i>"


def test_a_value_that_a_template_lacks_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        "".join(render.render_page("page.html", {}))


def test_the_policy_allows_two_parts_by_hash_and_nothing_else() -> None:
    policy = render._policy("a {}", "let a;")
    assert policy.startswith("default-src 'none'; ")
    hashes = re.findall(r"(\w+)-src 'sha256-[^']{44}'", policy)
    assert hashes == ["style", "script"]
    assert "unsafe" not in policy
    assert render._policy("b {}", "let a;") != policy

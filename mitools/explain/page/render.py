"""Rendering the page from its templates: HTML with inline style, script and data.

The page allows its own style sheet and script by their hashes, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mitools.escape import visible

__all__ = ["render_page"]

_SCRIPTS = {
    "page.html": (
        *("text.js", "rows.js", "filters.js", "facets.js", "order.js", "command.js"),
        *("table.js", "detail.js", "sides.js", "teacher.js", "address.js", "main.js"),
    ),
    "index.html": ("text.js", "index.js"),
}
_STYLES = {
    "page.html": ("base.css", "page.css", "record.css", "figures.css", "print.css"),
    "index.html": ("base.css", "figures.css", "index.css", "print.css"),
}


def render_page(template: str, values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the page in pieces.

    Args:
        template: ``page.html``, or ``index.html`` for the index of a folder.
        values: what the templates show, by name. Only values of the type ``Markup`` are not
            escaped.
    """
    style = "\n".join(map(_part, _STYLES[template]))
    # One function, so that the script can wait for the records to be unpacked.
    script = "(async () => {\n" + "\n".join(map(_part, _SCRIPTS[template])) + "\n})();"
    fixed = {"policy": _policy(style, script), "style": Markup(style), "script": Markup(script)}
    yield from _TEMPLATES.get_template(template).generate(**values, **fixed)


def _part(name: str) -> str:
    return files("mitools.explain.page").joinpath("templates", name).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    """Return a policy that allows this style sheet and this script alone, by their hashes."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _percent(share: float) -> str:
    text = f"{100 * share:.1f}".removesuffix(".0")
    return f"{text}%"


def _number(value: float) -> str:
    text = f"{value:,.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _shown(value: Any) -> Any:
    """Escape control and invisible characters in every text that a template shows."""
    is_text = isinstance(value, str) and not isinstance(value, Markup)
    return visible(value) if is_text else value


_TEMPLATES = Environment(
    loader=PackageLoader("mitools.explain.page"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_shown,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals |= {"percent": _percent, "number": _number}

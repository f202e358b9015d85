"""Notation around a number: LaTeX, markup, money, and remarks behind the answer.

Every pattern here is bounded, so that the time grows linearly with the length of the text.
"""

from __future__ import annotations

import re

from mitools.reading.characters import plain

__all__ = ["boxed_in", "braced", "other_box", "without_copula", "without_latex", "without_markup"]

_EMPHASIS = re.compile(r"\A[*_]{1,3}([^*_\n]{1,200})[*_]{1,3}([.!]?)\s{0,9}\Z")
_MARKUP = re.compile(r"\*\*|__(?=\S)|(?<=\S)__|`|~~")
_ESCAPED = re.compile(r"\\([*_#$%&{}~`\[\]()!.+-])")
_WRAPPED = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|up|normal)?|math(?:bf|rm|it|sf|tt|normal)|mbox|operatorname"
    r"|bold(?:symbol)?|bm|underline|emph|boxed|fbox|ensuremath|displaystyle)\s{0,2}(?=\{)"
)
_FRACTION = re.compile(
    r"(?P<whole>(?<![\d.])\d{1,12}\s?)?\\[dtc]?frac\s?(?:\{(?P<top>[^{}]{1,60})\}"
    r"\s?\{(?P<below>[^{}]{1,60})\}|(?P<first>\d)\s?(?P<second>\d))"
)
_BEGINNING = re.compile(r"\\(?:begin|end)\s?\{[a-z*]{1,20}\}(?:\{[lcr|]{1,9}\})?")
_COMMANDS = {
    "times": "*", "cdot": "*", "ast": "*", "div": "/", "approx": "~", "simeq": "~", "sim": "~",
    "approxeq": "~", "left": "", "right": "", "big": "", "Big": "", "bigl": "", "bigr": "",
    "Bigl": "", "Bigr": "", "quad": " ", "qquad": " ", "displaystyle": "", "textstyle": "",
    "degree": " degrees",
    "circ": " degrees", "therefore": "", "implies": " ", "Rightarrow": " ", "rightarrow": " ",
    "lbrack": "[", "rbrack": "]", "lparen": "(", "rparen": ")", "minus": "-", "euro": "$",
    "pounds": "$", "textdollar": "$", "newline": " ", "dots": "...", "ldots": "...",
}  # fmt: skip
_COMMAND = re.compile(r"\\([A-Za-z]{1,20})\*?\s?")
_DEGREES = re.compile(r"\^\s?\{?\s?\\circ\s?\}?")
_GAP = re.compile(r"(?<=\d)(?:\{,\}|,?\\[,!;: ]\s?)(?=\d{3})")
_THIN = re.compile(r"\\[,!;: ]|\\\\")
_POWER = re.compile(r"\^\s?\{\s?([^{}]{1,20})\s?\}")
_BRACES = re.compile(r"[{}]")
_DELIMITER = re.compile(r"\\[()\[\]]|\$\$?(?!\s?\d)|(?<=[\d)%}])\$\$?")


_COPULA = re.compile(
    "(?:\u3067\u3059|\u3067\u3042\u308b|\u3060|\uc785\ub2c8\ub2e4|\uc774\ub2e4|\uc694)(?=[\\s.!]|\\Z)"
)


def without_copula(text: str) -> str:
    """Drop the verb that ends a Japanese or Korean sentence, directly behind the answer."""
    return text if text.isascii() else _COPULA.sub("", text)


def without_markup(text: str) -> str:
    """Drop emphasis, code marks and backslashes before punctuation."""
    if "*" in text or "_" in text or "`" in text or "~~" in text:
        text = _MARKUP.sub(_kept_power, _EMPHASIS.sub(r"\1\2", text))
    return text


def _kept_power(match: re.Match[str]) -> str:
    """Keep two stars between numbers, which are a power; emphasis stands around words."""
    text, begin, end = match.string, match.start(), match.end()
    if match[0] != "**" or not begin or end == len(text):
        return ""
    return "**" if text[begin - 1] in "0123456789)" and text[end] in "0123456789(" else ""


def without_latex(text: str) -> str:
    """Write LaTeX as plain arithmetic: ``1\\frac{1}{2}`` as ``1 1/2``, ``12{,}345`` as ``12,345``.

    A command that has no plain form, such as ``\\sqrt``, stays as it is, and no number is read.
    """
    if "\\" not in text:
        if "{" in text or "$" in text:
            text = _DELIMITER.sub("", _BRACES.sub("", _POWER.sub(r"^\1", _GAP.sub(",", text))))
        return text
    text = _GAP.sub(",", text)
    text = _DEGREES.sub(" degrees", text)
    text = _DELIMITER.sub(" ", text.replace("\\$", "$ "))
    text = _BEGINNING.sub(" ", text)
    for _ in range(3):  # a wrapper inside a wrapper; deeper nesting is not an answer
        if "\\" not in text:
            break
        text = _WRAPPED.sub(" ", text) if "{" in text else text
        text = _POWER.sub(r"^\1", text)
        text = _FRACTION.sub(_plain_fraction, text)
        text = _ESCAPED.sub(r"\1", text)
    text = _COMMAND.sub(_plain_command, _THIN.sub(" ", text))
    return _BRACES.sub("", text)


def _plain_fraction(match: re.Match[str]) -> str:
    top, below = (
        (match["top"], match["below"]) if match["top"] else (match["first"], match["second"])
    )
    top, below = plain(top).strip(), plain(below).strip()
    shown = "/".join(part if part.isalnum() else f"({part})" for part in (top, below))
    if match["whole"]:
        return f"{match['whole'].strip()} {shown}"
    return f"({shown})"


def _plain_command(match: re.Match[str]) -> str:
    return _COMMANDS.get(match[1], match[0])


def braced(text: str, begin: int) -> str | None:
    """Return what stands between the brace at a position and the one that closes it."""
    depth = 0
    for match in re.compile(r"[{}]").finditer(text, begin):
        if match.start() and text[match.start() - 1] == "\\":
            continue
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return text[begin + 1 : match.start()]
    return None


_BOXED = re.compile(r"\\f?boxed\s{0,2}(?:(\{)|([^\s{}$]{1,40}))")


def boxed_in(text: str) -> tuple[int, int, str] | None:
    """Find the last ``\\boxed{…}``: where it begins, where it ends, and what it holds."""
    if "boxed" not in text and "fbox" not in text:
        return None
    found = list(_BOXED.finditer(text))
    for match in found[:-3:-1]:
        inner = match[2] or braced(text, match.start(1))
        if inner is not None:
            end = match.end() if match[2] else match.start(1) + len(inner) + 2
            return match.start(), end, inner
    return None


def other_box(text: str, begin: int, held: str) -> str | None:
    """Return the content of another box in the same sentence, if it differs."""
    before = text[max(0, begin - 200) : begin]
    place = before.rfind("boxed{")
    if place < 0:
        return None
    inner = braced(before, place + len("boxed"))
    if inner is None or inner.strip() == held.strip():
        return None
    between = before[place + len("boxed{") + len(inner) :]
    is_near = len(between) < 60 and _SENTENCE_END.search(between) is None
    return inner if is_near else None


_SENTENCE_END = re.compile(r"[.!?:](?:\s|\Z)|\n\s*\n")

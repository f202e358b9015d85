"""Which column is which, by the names that data sets use."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence

__all__ = [
    "SCALES",
    "USUAL_NAMES",
    "by_usual_name",
    "choice_columns",
    "in_template",
    "pair_of_texts",
    "plain_name",
]

USUAL_NAMES: Mapping[str, Sequence[str]] = {
    "id": ("id", "uid", "uuid", "guid", "qid", "key"),
    "input": (
        *("input", "question", "text", "problem", "prompt", "sentence", "query", "instruction"),
        *("body", "message", "content", "description", "review", "document", "comment", "post"),
        *("tweet", "utterance", "ticket", "context", "title", "subject"),
    ),
    "label": (
        *("label", "labels", "gold", "answer", "answers", "target", "category", "class", "intent"),
        *("sentiment", "topic", "emotion", "output", "solution", "result", "equation"),
        *(
            "answerkey",
            "answer_key",
            "correct",
            "ans",
            "rating",
            "stars",
            "priority",
            "department",
            "tag",
            "type",
        ),
    ),
    "choices": ("choices", "options", "candidates", "endings", "choice", "option"),
    "rationale": (
        *("rationale", "explanation", "reason", "reasoning", "justification"),
        *("chain_of_thought", "cot", "exp"),
    ),
}
"""Names of columns by the field of a record that they usually fill; the first is the best."""

_PAIRS = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    *((text, "question") for text in ("passage", "context", "article", "document", "paragraph")),
    *((text, "question") for text in ("story", "background", "premise")),
    *((text, "query") for text in ("context", "passage", "document")),
    *(("subject", text) for text in ("body", "description")),
    *(("title", text) for text in ("body", "text", "description", "abstract", "content")),
    ("question1", "question2"),
    ("text1", "text2"),
)
"""Columns that are the input together; the second one follows the first on a line of its own."""

SCALES = ("rating", "stars", "score", "sentiment", "priority", "level")
"""Words in the names of columns whose few numbers are the steps of a scale."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_JINJA_WORDS = (
    *("and", "else", "false", "False", "if", "in", "is", "loop", "none", "None", "not", "or"),
    *("self", "true", "True"),
)
_SPELLED = re.compile(r"(\w+)_(?:text|name)")
_CHOICE = re.compile(
    r"(?:(?:[a-z]+_)?(?P<prefix>option|choice|candidate|ending|answer|sol|opt|op)_?)?"
    r"(?P<mark>[a-z]|\d)"
)


def plain_name(name: str) -> str:
    """Write a name in small letters, with underscores between its words."""
    return re.sub(r"[\W_]+", "_", name.strip().lower()).strip("_")


def in_template(name: str, columns: Container[str] = ()) -> str:
    """Return how a template names a column: ``name``, or ``row["Name 1"]``.

    Args:
        columns: all columns; one called ``row`` takes the place of the whole row.

    Returns:
        Nothing where a template cannot name it.
    """
    if _IDENTIFIER.fullmatch(name) and name not in _JINJA_WORDS:
        return name
    is_plain = name.isprintable() and not {*name} & {*'"\\{}%#'}
    return f'row["{name}"]' if is_plain and "row" not in columns else ""


def pair_of_texts(names: Iterable[str]) -> tuple[str, str] | None:
    """Find two columns that are the input together, such as ``Ticket Subject``, ``Ticket Body``."""
    plain = {plain_name(name): name for name in names}
    for first, second in _PAIRS:
        for name in plain:
            prefix = name.removesuffix(first)
            if name.endswith(first) and prefix[-1:] in ("", "_") and prefix + second in plain:
                return plain[name], plain[prefix + second]
    return None


def by_usual_name(target: str, names: Iterable[str]) -> list[str]:
    """List the names that are usual for a field, the best first.

    A usual name as the last word of a longer one (``ticket_text``) comes after all short ones. A
    label that is spelled out (``label_text``) comes before its number (``label``).
    """
    usual = USUAL_NAMES[target]
    ranked = []
    for name in names:
        plain = plain_name(name)
        last = plain.rpartition("_")[2]
        spelled = _SPELLED.fullmatch(plain) if target == "label" else None
        if plain in usual:
            ranked.append((2 * usual.index(plain) + 1, name))
        elif spelled and spelled[1] in usual:
            ranked.append((2 * usual.index(spelled[1]), name))
        elif last in usual and last != "key":
            ranked.append((2 * (len(usual) + usual.index(last)), name))
    return [name for _, name in sorted(ranked, key=lambda pair: pair[0])]


def choice_columns(names: Iterable[str]) -> list[str]:
    """Find columns that hold one choice each, such as ``option1`` to ``option4`` or ``A`` to ``D``.

    Returns:
        Their names in order; empty if there are fewer than two, or three without a common word.
    """
    groups: dict[str, dict[str, str]] = {}
    for name in names:
        found = _CHOICE.fullmatch(plain_name(name))
        if found and "," not in name and (found["prefix"] or not found["mark"].isdigit()):
            groups.setdefault(found["prefix"] or "", {}).setdefault(found["mark"], name)
    for prefix, marked in groups.items():
        for marks in ("abcdefghij", "0123456789", "123456789"):
            run = []
            for mark in marks:
                if mark not in marked:
                    break
                run.append(marked[mark])
            if len(run) >= (2 if prefix else 3):
                return run
    return []

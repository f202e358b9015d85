"""Records to make pages of, tame and hostile."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from mitools.explain.options import ExplainOptions
from mitools.explain.page.write import Page, PageFacts
from mitools.explain.run import ExplanationRun
from mitools.explain.second_student import SecondStudent

HOSTILE = {
    "closing tag": "</script><script>document.title='owned'</script>",
    "closing tag in capitals": "</SCRIPT ><ScRiPt>document.title='owned'//",
    "comment": "<!--<script>document.title='owned'//-->",
    "image": "<img src=x onerror=\"document.title='owned'\">",
    "template": "{{ 7 * 7 }}{% raw %}",
    "entity": "&lt;b&gt; &amp; &#60;",
    "quotes": "' \" ` \\ \\u003c",
    "override": "abc\u202edcba\u202c \u2066x\u2069 \u200f\u200e",
    "separators": "a\u2028b\u2029c",
    "controls": "\x00\x1b[2J\x07\x7f\x85",
    "surrogate": "lone \ud800 and \udfff",
    "expression": "__import__('os').system('true')",
    "address": "javascript:document.title='owned'",
    "right to left": "שלום עולם",
    "emoji": "👩\u200d🔬 𝒳",
}


def choice(index: int, **more: Any) -> dict[str, Any]:
    """A record of the task ``choice``; every third one is wrong, every fifth inconsistent."""
    is_right, is_own = index % 3 != 0, index % 5 != 0
    label = "sea" if is_right else "tree"
    supported = label if is_own else "car"
    confidence = 0.35 + (index * 7 % 13) / 20
    rest = 1 - confidence
    chances = {"sea": rest / 2, "tree": rest / 2, "car": rest / 2, label: confidence}
    return {
        "id": f"cqa-{index:03}",
        "input": f"Where does fish number {index} live?",
        "label": "sea",
        "choices": ["sea", "tree", "car"],
        "task": "choice",
        "split": "test" if index % 2 else "valid",
        "teacher": {"label": "sea", "rationale": "Fish swim in the sea."},
        "student": {
            "label": label,
            "rationale": f"It lives in the {supported}.",
            "confidence": round(confidence, 4),
            "choices": {name: round(chance, 4) for name, chance in chances.items()},
            "model": "student@0123456789ab",
        },
        **more,
    }


def nli(index: int, label: str | None = None) -> dict[str, Any]:
    """A record of the task ``labels``."""
    labels = ["entailment", "neutral", "contradiction"]
    gold = labels[index % 3]
    given = label or (gold if index % 4 else labels[(index + 1) % 3])
    return {
        "id": f"nli-{index}",
        "input": f"Premise {index}. Hypothesis?",
        "label": gold,
        "choices": labels,
        "task": "labels",
        "student": {"label": given, "rationale": f"It is {given}.", "confidence": 0.8},
    }


def make_page(
    records: Iterable[Mapping[str, Any]],
    second: Iterable[Mapping[str, Any]] | None = None,
    summary: Mapping[str, Any] | None = None,
    second_summary: Mapping[str, Any] | None = None,
    **about: Any,
) -> str:
    """Make a page of records, as text."""
    versus = None if second is None else SecondStudent(map(dict, second), "second.jsonl")
    explanation = ExplanationRun(ExplainOptions(), others=[versus] if versus else [])
    stream = io.StringIO()
    given = {"student": summary, "second": second_summary}
    with Page(summaries={who: one for who, one in given.items() if one is not None}) as page:
        for item in explanation.run(map(dict, records)):
            page.add(item)
        told = {
            "source": "records.jsonl",
            "version": "1.2.3",
            "read": explanation.counts.read,
            "comparisons": explanation.comparisons,
            "sources": ("second.jsonl",) if versus else (),
            "notes": tuple(page.doubts()),
            **about,
        }
        page.write(stream, PageFacts(**told))
    return stream.getvalue()


def packed_in(page: str, name: str) -> list[str]:
    """Unpack the lines of an element: ``rows``, or ``lines`` for the records themselves."""
    found = re.search(rf'<script id="{name}" type="text/plain">([\w+/=]*)</script>', page)
    assert found is not None
    return gzip.decompress(base64.b64decode(found[1])).decode().split("\n")[:-1]


def rows_in(page: str) -> list[dict[str, Any]]:
    """Read the records out of a page, as a browser finds them."""
    return [json.loads(line) for line in packed_in(page, "rows")]

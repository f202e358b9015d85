"""The model card of a trained student."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["write_model_card"]

_CARD = """\
---
library_name: transformers
tags: [mitools, distillation, rationale]
base_model: {base}
---

# {name}

A student that answers (`predict: …`) and explains (`explain: …`), trained by mitools from the
labels and rationales of a teacher.

| | |
|---|---|
| base | `{base}` |
| objective | α {alpha} · label + {rest} · rationale + β {beta} · MI `{mi}` |
| records | {records} |
| validation | {metrics} |
| seed | {seed} |

Ask it:

    mitools explain --student DIR --text "…"

The task of its labels is `{task}`; all else about the run stands in `mitools.json` and `log.jsonl`.
"""


def write_model_card(folder: Path, metadata: Mapping[str, Any], name: str) -> None:
    """Write ``README.md`` from what ``mitools.json`` says."""
    options, results = metadata["options"], metadata["results"]
    metrics = [
        f"{key.removeprefix('valid_').replace('_', ' ')} {value:.4g}"
        for key, value in results.items()
        if key.startswith("valid_")
    ]
    text = _CARD.format(
        name=name,
        base=metadata["base"],
        alpha=options["alpha"],
        rest=round(1 - options["alpha"], 6),
        beta=options["beta"] if options["mi"] != "none" else 0,
        mi=options["mi"],
        records=", ".join(f"{n:,} {split}" for split, n in metadata["data"]["records"].items()),
        metrics=", ".join(metrics) or "none",
        seed=options["seed"],
        task=metadata["task"],
    )
    (folder / "README.md").write_text(text, encoding="utf-8")

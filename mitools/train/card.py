"""The model card of a trained student."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mitools.student.codec import PREFIXES

__all__ = ["write_model_card"]

_CARD = """\
---
library_name: transformers
tags: [mitools, distillation, rationale]
base_model: {base}
---

# {name}

A student that answers and explains, trained by mitools from the labels and rationales of a
teacher. {prompts}

| | |
|---|---|
| base | `{base}` |
| objective | α {alpha} · label + {rest} · rationale + β {beta} · MI `{mi}` |
| records | {records} |
| validation | {metrics} |
| seed | {seed} |
| trained | {trained} |

Ask it:

    mitools explain --student DIR --text "…"

The task of its labels is `{task}`; all else about the run stands in `mitools.json` and `log.jsonl`.
"""


_PROMPTS = {
    "separate": "It answers the prompt `{label}` and explains at `{rationale}`.",
    "label-rationale": "At the prompt `{label}` it answers and then, behind the end token, "
    "explains.",
    "rationale-label": "At the prompt `{rationale}` it explains and then, behind the end token, "
    "answers.",
}


def write_model_card(folder: Path, metadata: Mapping[str, Any], name: str) -> None:
    """Write ``README.md`` from what ``mitools.json`` says."""
    options, results = metadata["options"], metadata["results"]
    metrics = [
        f"{key.removeprefix('valid_').replace('_', ' ')} {value:.4g}"
        for key, value in results.items()
        if key.startswith("valid_")
    ]
    form = "{input}⏎{task}⏎" if options["prefix_position"] == "after" else "{task} {input}"
    prompts = {
        purpose: form.format(task=prefix.strip(), input="…") for purpose, prefix in PREFIXES.items()
    }
    text = _CARD.format(
        name=name,
        prompts=_PROMPTS[options["order"]].format(**prompts),
        trained=_describe_training(metadata),
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


def _describe_training(metadata: Mapping[str, Any]) -> str:
    tasks, rank = " and ".join(metadata["trained"]), metadata["options"]["lora"]
    return f"{tasks}, by low-rank adapters of rank {rank}, merged" if rank else tasks

"""The model card of a trained student."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

A student that {does}, trained by mitools on labels and rationales of a teacher. {prompts}

| | |
|---|---|
| base | `{base}` |
| objective | {objective} |
| records | {records} |
| {measured} | {metrics} |
| seed | {seed} |
| trained | {trained} |

To use it:

    mitools explain --student DIR --text "…"

The task of its labels is `{task}`. All options, metrics and versions of the run are in
`mitools.json`, the training log is in `log.jsonl`.
"""


_MEASURED = {"valid": "validation", "test": "test"}
_DOES = {"label": "answers", "rationale": "explains"}
_IN_ONE_PASS = {
    "label-rationale": "For the prompt `{label}` it outputs the label, an end token, and the "
    "rationale.",
    "rationale-label": "For the prompt `{rationale}` it outputs the rationale, an end token, and "
    "the label.",
}


def write_model_card(folder: Path, metadata: Mapping[str, Any], name: str) -> None:
    """Write ``README.md`` from the content of ``mitools.json``."""
    options, results = metadata["options"], metadata["results"]
    prefix = f"{options['eval_on']}_"
    metrics = [
        f"{key.removeprefix(prefix).replace('_', ' ')} {value:.4g}"
        for key, value in results.items()
        if key.startswith(prefix)
    ]
    text = _CARD.format(
        name=name,
        does=" and ".join(_DOES[name] for name in metadata["trained"]),
        prompts=_describe_prompts(options, metadata["trained"], concludes=metadata["concludes"]),
        trained=_describe_training(metadata),
        base=metadata["base"],
        objective=_describe_objective(options),
        records=", ".join(f"{n:,} {split}" for split, n in metadata["data"]["records"].items()),
        measured=_MEASURED[options["eval_on"]],
        metrics=", ".join(metrics) or "none",
        seed=options["seed"],
        task=metadata["task"],
    )
    (folder / "README.md").write_text(text, encoding="utf-8")


def _describe_objective(options: Mapping[str, Any]) -> str:
    alpha, mi = options["alpha"], options["mi"]
    beta = options["beta"] if mi != "none" else 0
    text = f"α {alpha} · label + {round(1 - alpha, 6)} · rationale + β {beta} · MI `{mi}`"
    if mi == "conclude":
        text += f" + γ {options['gamma']} · label after the rationale"
    return text


def _describe_prompts(
    options: Mapping[str, Any], trained: Sequence[str], *, concludes: bool
) -> str:
    form = "{input}⏎{task}⏎" if options["prefix_position"] == "after" else "{task} {input}"
    prompts = {name: form.format(task=PREFIXES[name].strip(), input="…") for name in PREFIXES}
    if options["order"] != "separate":
        return _IN_ONE_PASS[options["order"]].format(**prompts)
    sentences = [
        f"For the prompt `{prompts[name]}` it {_DOES[name]}."
        for name in PREFIXES
        if name in trained
    ]
    if concludes:
        sentences.append("After the end token of its rationale it outputs a second label.")
    return " ".join(sentences)


def _describe_training(metadata: Mapping[str, Any]) -> str:
    tasks, rank = " and ".join(metadata["trained"]), metadata["options"]["lora"]
    return (
        f"{tasks}, by low-rank adapters of rank {rank}, merged into the weights" if rank else tasks
    )

"""The model card of a trained student."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mitools.student.codec import Codec
from mitools.student.layout import FIRST, PREFIXES

__all__ = ["write_model_card"]

_CARD = """\
---
library_name: transformers
tags: [mitools, distillation, rationale]
{origin}---

# {name}

A student that {does}, trained by mitools on {targets}. {prompts}

| | |
|---|---|
| base | `{base}` |
| objective | {objective} |
| records | {records} |
| {measured} | {metrics} |
| seed | {seed} |
| trained | {trained} |

## Use

With mitools:

    mitools explain --student DIR --text "…"

With transformers alone:

```python
{snippet}```
{serving}
The task of its labels is `{task}`. All options, metrics and versions of the run are in
`mitools.json`, the training log is in `log.jsonl`.
"""


_HEAD = """\
from transformers import {auto}, AutoTokenizer

folder, text = "DIR", "…"
tokenizer = AutoTokenizer.from_pretrained(folder)
model = {auto}.from_pretrained(folder)
"""
_CAUSAL = """\
for task in {tasks}:
    inputs = tokenizer({form}, return_tensors="pt", return_token_type_ids=False)
{without_end}    output = model.generate(**inputs)[0, inputs["input_ids"].shape[1] :]
    print(task, tokenizer.decode(output, skip_special_tokens=True))
"""
_WITHOUT_END = """\
    inputs = {name: row[:, :-1] for name, row in inputs.items()}  # a prompt has no end token
"""
_SEQ2SEQ = """\
for task in {tasks}:
    inputs = tokenizer({form}, return_tensors="pt", return_token_type_ids=False)
    output = model.generate(**inputs)[0]
    print(task, tokenizer.decode(output, skip_special_tokens=True))
"""
_SERVED = """
To serve it with an API like OpenAI's (llama.cpp uses the same chat template, in the file that
`mitools export DIR --to gguf` writes):

    transformers serve DIR --port 8000
    mitools annotate -m DIR --base-url http://127.0.0.1:8000/v1 --prompt student FILE

A user message with the text of a record's `input`{by} is answered with the {first}.{explaining}
A server does not cut an input at {limit} tokens, as mitools does.
"""
_EXPLAINING = """ The system message
`explain`, or `chat_template_kwargs: {"task": "explain"}`, asks for the rationale."""
_CONVERTED = """
To run this encoder-decoder model elsewhere:

    mitools export DIR --to ct2 -o OUT --check-records FILE
"""

_MEASURED = {"valid": "validation", "test": "test"}
_DOES = {"label": "answers", "rationale": "explains"}
_STOPS = " The code below stops at that end token."
_IN_ONE_PASS = {
    "label-rationale": "For the prompt `{label}` it outputs the label, an end token, and the "
    f"rationale.{_STOPS}",
    "rationale-label": "For the prompt `{rationale}` it outputs the rationale, an end token, and "
    f"the label.{_STOPS}",
}


def write_model_card(
    folder: Path, metadata: Mapping[str, Any], name: str, codec: Codec | None = None
) -> None:
    """Write ``README.md`` from the content of ``mitools.json``.

    Args:
        codec: of the student, for how its tokenizer ends a prompt; None for one that adds nothing.
    """
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
        targets=" and ".join(f"{name}s" for name in metadata["trained"]),
        prompts=_describe_prompts(metadata),
        trained=_describe_training(metadata),
        base=metadata["base"],
        origin="".join(f"{key}: {value}\n" for key, value in metadata["origin"].items()),
        objective=_describe_objective(options, metadata["trained"]),
        records=", ".join(f"{n:,} {split}" for split, n in metadata["data"]["records"].items()),
        measured=_MEASURED[options["eval_on"]],
        metrics=_describe_metrics(metrics, metadata["data"]["measured"]),
        seed=options["seed"],
        task=metadata["task"],
        snippet=_snippet(metadata, codec),
        serving=_serving(metadata),
    )
    (folder / "README.md").write_text(text, encoding="utf-8")


def _describe_metrics(metrics: Sequence[str], measured: int) -> str:
    return f"{', '.join(metrics)} (records: {measured:,})" if metrics else "none"


def _snippet(metadata: Mapping[str, Any], codec: Codec | None) -> str:
    """Write the lines that ask the student with transformers alone."""
    options, is_causal = metadata["options"], metadata["kind"] == "causal"
    first = FIRST.get(options["order"])
    purposes = [first] if first else list(metadata["trained"])
    tasks = ", ".join(f'"{PREFIXES[purpose].strip(": ")}"' for purpose in purposes)
    if not is_causal:
        form = 'f"{task}: {text}"'
    elif options["prefix_position"] == "after":
        form = r'f"{text}\n{task}:\n"'
    else:
        form = r'f"{task}: {text}\n"'
    auto = "AutoModelForCausalLM" if is_causal else "AutoModelForSeq2SeqLM"
    loop = _CAUSAL if is_causal else _SEQ2SEQ
    without_end = _WITHOUT_END if is_causal and codec and _adds_end(codec) else ""
    return _HEAD.format(auto=auto) + loop.format(
        tasks=f"[{tasks}]", form=form, without_end=without_end
    )


def _adds_end(codec: Codec) -> bool:
    """Tell whether the tokenizer adds an end token, which the prompt of a causal student lacks."""
    text = codec.lead("label") + codec.tail("label")
    ids: list[int] = codec.tokenizer(text)["input_ids"]
    return ids[-1:] == [codec.tokenizer.eos_token_id]


def _serving(metadata: Mapping[str, Any]) -> str:
    """Say how the student is served."""
    if metadata["kind"] == "seq2seq":
        return _CONVERTED
    first = FIRST.get(metadata["options"]["order"])
    explains = first is None and "rationale" in metadata["trained"]
    has_two = explains and "label" in metadata["trained"]
    return _SERVED.format(
        by=" and the system message `explain`" if explains and not has_two else "",
        first=first or metadata["trained"][0],
        explaining=_EXPLAINING if has_two else "",
        limit=metadata["max_input_tokens"],
    )


def _describe_objective(options: Mapping[str, Any], trained: Sequence[str]) -> str:
    """Write the sum of the losses; those of a task that was not trained are left out."""
    alpha, mi = options["alpha"], options["mi"]
    parts = {"label": f"α {alpha} · label", "rationale": f"{round(1 - alpha, 6)} · rationale"}
    text = " + ".join(parts[name] for name in trained)
    if len(trained) < len(parts):
        return text
    if mi != "none" and options["beta"] > 0:
        text += f" + β {options['beta']} · MI `{mi}`"
    if mi == "conclude":
        text += f" + γ {options['gamma']} · label after the rationale"
    if mi == "name":
        text += f" + γ {options['gamma']} · choice that the rationale names"
    return text


def _describe_prompts(metadata: Mapping[str, Any]) -> str:
    options, trained = metadata["options"], metadata["trained"]
    form = "{input}⏎{task}⏎" if options["prefix_position"] == "after" else "{task} {input}"
    prompts = {name: form.format(task=PREFIXES[name].strip(), input="…") for name in PREFIXES}
    if options["order"] != "separate":
        return _IN_ONE_PASS[options["order"]].format(**prompts)
    sentences = [
        f"For the prompt `{prompts[name]}` it {_DOES[name]}."
        for name in PREFIXES
        if name in trained
    ]
    if metadata["concludes"]:
        second = "After the end token of its rationale it outputs a second label."
        sentences.append(second + _STOPS)
    if metadata.get("answer") == "named":
        sentences.append("mitools answers with the choice that the rationale names.")
    elif weight := metadata.get("answer_weight"):
        second = (
            "both labels" if metadata["concludes"] else "the label and what its rationale names"
        )
        sentences.append(
            f"mitools answers by {second}, with the weight {weight['value']:g} on the first, "
            f"fitted on {weight['fitted_on']:,} validation records."
        )
    return " ".join(sentences)


def _describe_training(metadata: Mapping[str, Any]) -> str:
    tasks, rank = " and ".join(metadata["trained"]), metadata["options"]["lora"]
    return (
        f"{tasks}, by low-rank adapters of rank {rank}, merged into the weights" if rank else tasks
    )

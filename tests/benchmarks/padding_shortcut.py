"""What an MI term does where nobody looks: on padded positions of the rationale.

    python -m tests.benchmarks.padding_shortcut

Small T5s from the same random weights learn the same problems in the same order, once with each
term. The label is the kind of problem, a word that no rationale holds. Then, on problems that were
not trained on, the probability of the label's tokens is read at every position behind the
rationale's decoder, as a share: on positions that hold a rationale's words, and on those that only
pad it to the length of the longest in its batch, which no generation ever visits.

``pooled_padded``, ``pooled_real``: the highest over such positions, as the term pools, and
``padded``, ``real``: the mean over them; each a mean over the label's tokens and the records.
``accuracy``: labels whose every token is the likeliest, given those before it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import click
import torch
from torch import Tensor

from mitools.demo import problems, solve
from mitools.records import Record
from mitools.student.base.scratch import build_scratch
from mitools.student.codec import Codec
from mitools.student.forward import target_logits
from mitools.tasks import task_named
from mitools.train.collate import TwoTaskCollator
from mitools.train.losses.objective import MiTerm, Objective
from mitools.train.task_tensors import pairs_of, word_mask
from mitools.train.two_task_model import TwoTaskModel

BATCH = 16


def examples(count: int, split: str) -> list[Record]:
    """Make problems whose label is their kind and whose rationale names no kind."""
    found = []
    for record in problems(20 * count if split != "train" else 2 * count, seed=0):
        if record["split"] == split and len(found) < count:
            answer = task_named("equation").parse(solve(record["input"], 0, 0.0))
            found.append({**record, "label": record["type"], "rationale": answer.rationale})
    return found


def rows_of(codec: Codec, records: Sequence[Record]) -> list[dict[str, Any]]:
    rows = []
    for record in records:
        row: dict[str, Any] = {"id": record["id"]}
        for purpose in ("label", "rationale"):
            row[f"{purpose}_prompt"] = codec.encode_prompt(purpose, record["input"])[0]  # type: ignore[arg-type]
            row[f"{purpose}_target"] = codec.encode_target(purpose, record[purpose])[0]  # type: ignore[arg-type]
        rows.append(row)
    return rows


def train(model: TwoTaskModel, rows: Sequence[dict[str, Any]], steps: int, seed: int) -> None:
    collate = TwoTaskCollator(model.codec, with_rationales=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    order = random.Random(seed)
    model.train()
    for _ in range(steps):
        batch = collate(order.sample(list(rows), BATCH))
        model(batch["label"], batch["rationale"])["loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


@torch.no_grad()
def measure(model: TwoTaskModel, rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Read where the label's tokens are likely behind the rationale's decoder."""
    model.eval()
    collate = TwoTaskCollator(model.codec, with_rationales=True)
    sums: dict[str, list[Tensor]] = {}
    for start in range(0, len(rows), BATCH):
        batch = collate(rows[start : start + BATCH])
        label, rationale = batch["label"], batch["rationale"]
        logits = target_logits(model.student, "seq2seq", pairs_of(label))
        words = word_mask(label, model.end_id)
        found = ((logits.argmax(-1) == label["target_ids"]) | ~words).all(-1)
        sums.setdefault("accuracy", []).append(found.float())
        probs = target_logits(model.student, "seq2seq", pairs_of(rationale)).softmax(-1)
        ids = label["target_ids"][:, None, :].expand(-1, probs.shape[1], -1)
        at = probs.gather(-1, ids)  # [B, positions, label tokens]
        real = rationale["target_mask"].bool()
        for name, mask in (("real", real), ("padded", ~real)):
            rowed = mask.any(-1)
            mean = (at * mask[..., None]).sum(1) / mask.sum(1).clamp(min=1)[..., None]
            most = at.masked_fill(~mask[..., None], 0.0).amax(1)
            for kind, value in ((name, mean), (f"pooled_{name}", most)):
                per_row = (value * words).sum(-1) / words.sum(-1)
                sums.setdefault(kind, []).append(per_row[rowed])
    return {name: round(torch.cat(values).mean().item(), 4) for name, values in sums.items()}


@click.command()
@click.option("--steps", default=400, show_default=True)
@click.option("--records", "count", default=2000, show_default=True)
@click.option("--seeds", default=3, show_default=True)
@click.option("--mi", "terms", multiple=True, default=("none", "paper", "maxpool"))
def main(steps: int, count: int, seeds: int, terms: tuple[MiTerm, ...]) -> None:
    """Read the label's probability behind the rationale's decoder."""
    records, held_out = examples(count, "train"), examples(200, "test")
    texts = [record[name] for record in records for name in ("input", "label", "rationale")]
    for mi in terms:
        for seed in range(seeds):
            student, tokenizer = build_scratch(texts, seed=seed)
            torch.manual_seed(seed)  # dropout
            codec = Codec(tokenizer, "seq2seq")
            model = TwoTaskModel(student, codec, Objective(0.5, 0.1, mi))
            train(model, rows_of(codec, records), steps, seed)
            found = {"mi": mi, "seed": seed, **measure(model, rows_of(codec, held_out))}
            click.echo(json.dumps(found))


if __name__ == "__main__":
    main()

"""Rationales: their overlap with references, their surface, and what they support."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from scipy.stats import bootstrap
from statsmodels.stats.proportion import proportion_confint
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel
from transformers.utils.logging import disable_progress_bar

from mitools.evaluate.measures.steps import find_steps
from mitools.evaluate.measures.text import Overlap
from mitools.evaluate.summary import SummaryBuilder
from mitools.records import Record
from mitools.student.base.scratch import build_tokenizer
from mitools.student.sentence_encoder import SentenceEncoder
from mitools.tasks import task_of
from tests.benchmarks.references.records import Said, equation_records, label_records
from tests.benchmarks.references.rows import LOOP, Row, by_chance, end_margin, exact, named

__all__ = ["rows"]

N = 400
KNOWN = "counted as the texts were made"


def _summary(records: Sequence[Record]) -> dict[str, Any]:
    tally = SummaryBuilder()
    for record in records:
        tally.add(record, task_of(record))
    return tally.summary(0)


def rows() -> Iterator[Row]:
    records, known = label_records(N, 4)
    summary = _summary(records)
    yield from _overlap_rows(records, summary["overlap"])
    yield from _embedding_rows(records)
    yield from _surface_rows(records, summary["rationale"])
    yield from _step_rows()
    yield from _consistency_rows(known, summary)


# Overlap with references


def _pairs(records: Sequence[Record], reference: str) -> list[tuple[str, str]]:
    pairs = []
    for record in records:
        told = record.get("rationale") if reference == "human" else record["teacher"]["rationale"]
        if told and (reference != "teacher_correct" or record["teacher"]["agrees"]):
            pairs.append((record["student"]["rationale"], told))
    return pairs


def _sacrebleu(pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Run sacrebleu's own command on two files."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("written", "expected")]
        for path, texts in zip(paths, zip(*pairs, strict=True), strict=True):
            path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        command = [sys.executable, "-m", "sacrebleu", str(paths[1]), "-i", str(paths[0])]
        command += ["-m", "bleu", "chrf", "--force", "-w", "12"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {found["name"].rstrip("2").lower(): found["score"] for found in json.loads(done.stdout)}


def _overlap_rows(records: Sequence[Record], found: dict[str, Any]) -> Iterator[Row]:
    command = f"{named('sacrebleu')}, its command"
    for reference in ("teacher", "teacher_correct", "human"):
        pairs, metrics = _pairs(records, reference), found[reference]
        assert metrics["bleu"].n == len(pairs)
        by_command = _sacrebleu(pairs)
        for name in ("bleu", "chrf"):
            yield exact(
                f"overlap.{reference}.{name}", command, metrics[name].value, by_command[name]
            )
        scorer = RougeScorer(["rougeL"])
        rouge = np.array([scorer.score(told, text)["rougeL"].fmeasure for text, told in pairs])
        by = named("rouge-score", "rougeL")
        yield exact(f"overlap.{reference}.rouge_l", by, metrics["rouge_l"].value, rouge.mean())
    texts, references = (list(side) for side in zip(*pairs, strict=True))
    score = BLEU(force=True).corpus_score(texts, [references])
    ours = found["human"]["length_ratio"].value
    by = named("sacrebleu", "sys_len / ref_len")
    yield exact("overlap.human.length_ratio", by, ours, score.sys_len / score.ref_len)
    yield from _overlap_intervals(texts, references, found["human"], rouge)


def _overlap_intervals(
    texts: list[str], references: list[str], metrics: dict[str, Any], rouge: np.ndarray
) -> Iterator[Row]:
    """Compare interval widths with sacrebleu's own bootstrap, which states half the width."""
    for name, scorer in (("bleu", BLEU(force=True)), ("chrf", CHRF())):
        theirs = float(scorer.corpus_score(texts, [references], n_bootstrap=2_000)._ci)
        low, high = metrics[name].ci95
        by = named("sacrebleu", "n_bootstrap=2000")
        margin = end_margin(theirs / 1.96, theirs=2_000)
        yield by_chance(f"… {name}: half the interval", by, (high - low) / 2, theirs, margin)
    known = bootstrap((rouge,), np.mean, method="percentile", rng=np.random.default_rng(1))
    margin = end_margin(float(known.standard_error))
    ends = known.confidence_interval
    by = named("scipy", "bootstrap")
    yield by_chance("… rouge_l: interval", by, metrics["rouge_l"].ci95, ends, margin)


def _encoder(folder: Path, texts: Sequence[str]) -> None:
    """Save a Bert of random weights, as sentence-transformers lays one out."""
    tokenizer = build_tokenizer(iter(texts), 300)
    torch.manual_seed(0)
    disable_progress_bar()
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = BertConfig(vocab_size=len(tokenizer), intermediate_size=64, **sizes)
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _embedding_rows(records: Sequence[Record]) -> Iterator[Row]:
    pairs = _pairs(records, "human")
    with tempfile.TemporaryDirectory() as folder:
        _encoder(Path(folder), [told for _, told in pairs])
        overlap = Overlap(SentenceEncoder(folder, "cpu"))
        for pair in pairs:
            overlap.add(*pair)
        ours = overlap.metrics(0, empty="")["embedding"].value
        model = AutoModel.from_pretrained(folder).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
        cosines = []
        for pair in pairs:
            left, right = (_mean_state(model, tokenizer, text) for text in pair)
            lengths = np.linalg.norm(left) * np.linalg.norm(right)
            cosines.append(left @ right / lengths)
    by = f"{named('numpy')}: one text at a time, mean state, cosine"
    why = "cosines are kept to 5 digits"
    yield exact("overlap.embedding", by, ours, float(np.mean(cosines)), within=5e-6, why=why)


def _mean_state(model: Any, tokenizer: Any, text: str) -> np.ndarray:
    with torch.no_grad():
        states = model(torch.tensor([tokenizer(text)["input_ids"]])).last_hidden_state[0]
    return np.asarray(states.numpy().astype(np.float64).mean(axis=0))


# Surface


def _grams(text: str) -> list[str]:
    words = re.sub(r"[^a-z0-9 ]", "", text.lower()).split()
    return [" ".join(words[start : start + 4]) for start in range(len(words) - 3)]


def _surface_rows(records: Sequence[Record], found: dict[str, Any]) -> Iterator[Row]:
    said = [record["student"] for record in records]
    texts = [(one["rationale"], record["input"]) for one, record in zip(said, records, strict=True)]
    rates = {
        "empty": [not text for text, _ in texts],
        "truncated": [one["rationale_truncated"] for one in said],
        "label_mention": [
            one["label"] is not None
            and re.search(rf"\b{one['label']}\b", one["rationale"]) is not None
            for one in said
        ],
    }
    for name, hits in rates.items():
        wilson = proportion_confint(sum(hits), N, method="wilson")
        metric, theirs = found[name], (sum(hits) / N, *wilson)
        yield exact(f"rationale.{name}", LOOP, (metric.value, *metric.ci95), theirs)
    spoken = [(_grams(text), _grams(source)) for text, source in texts if _grams(text)]
    repeated = [
        sum(gram in grams[:place] for place, gram in enumerate(grams)) / len(grams)
        for grams, _ in spoken
    ]
    copied = [sum(gram in known for gram in grams) / len(grams) for grams, known in spoken]
    for name, shares in (("repeated_4grams", repeated), ("copied_4grams", copied)):
        yield exact(f"rationale.{name}", LOOP, found[name].value, float(np.mean(shares)))


_STEPS = (
    ("12 + 7 = 19, so 19 - 4 = 15.", 2, 2),
    ("12 + 7 is 20.", 1, 0),
    ("3 * 4 = 12 + 1 = 13", 2, 1),  # 3 · 4 is not 12 + 1
    ("10 / 3 = 3.33", 1, 1),  # rounded where it is cut off
    ("10 / 3 = 3.34", 1, 0),
    ("There are $1,200 + $300 = $1,500.", 1, 1),
    ("x = 5 and no step", 0, 0),
    ("( 2 + 3 ) * 4 = 20", 1, 1),
)


def _step_rows() -> Iterator[Row]:
    ours = [
        figure
        for text, _, _ in _STEPS
        for steps in [[step.is_right for step in find_steps(text)]]
        for figure in (len(steps), sum(steps))
    ]
    theirs = [figure for _, *figures in _STEPS for figure in figures]
    yield exact(f"find_steps, {len(_STEPS)} texts", "hand-worked", ours, theirs)
    records, known = equation_records(N, 5)
    metric = _summary(records)["rationale"]["steps_right"]
    stated, right = (np.array([row[place] for row in known], dtype=float) for place in (1, 2))
    yield exact("rationale.steps_right", KNOWN, metric.value, right.sum() / stated.sum())
    told = stated > 0
    ends = bootstrap(
        (right[told], stated[told]),
        lambda parts, wholes, axis: parts.sum(axis=axis) / wholes.sum(axis=axis),
        paired=True,
        method="percentile",
        rng=np.random.default_rng(2),
    )
    margin, by = end_margin(float(ends.standard_error)), named("scipy", "bootstrap, paired")
    yield by_chance("… interval", by, metric.ci95, ends.confidence_interval, margin)


# Consistency


def _consistency_rows(known: Sequence[Said], summary: dict[str, Any]) -> Iterator[Row]:
    found = summary["consistency"]
    stating = [said for said in known if said.stated is not None]
    agreeing = sum(said.stated == said.given for said in stating)
    wilson = named("statsmodels", "proportion_confint")
    for name, hits, n in (
        ("consistency", agreeing, len(stating)),
        ("coverage", len(stating), len(known)),
    ):
        metric = found[name]
        theirs = (hits / n, *proportion_confint(hits, n, method="wilson"))
        yield exact(
            f"consistency.{name}", f"{KNOWN}; {wilson}", (metric.value, *metric.ci95), theirs
        )
    theirs = [
        sum((said.given == said.gold) is right and _whose(said) == whose for said in known)
        for right in (True, False)
        for whose in ("student", "gold", "other", "none")
    ]
    ours = [n for row in summary["quadrants"].values() for n in row.values()]
    yield exact("quadrants, 8 cells", KNOWN, ours, theirs)


def _whose(said: Said) -> str:
    if said.stated is None:
        return "none"
    if said.stated == said.given:
        return "student"
    return "gold" if said.stated == said.gold else "other"

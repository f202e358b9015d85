"""The task prefix behind the input: read once for both tasks, and nothing comes out otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from mitools.errors import UsageError
from mitools.student import load_student
from mitools.student.base.open_base import open_checkpoint
from mitools.student.codec import Codec
from mitools.train.collate import TwoTaskCollator
from mitools.train.dry_run import describe_training
from mitools.train.losses.objective import Objective
from mitools.train.options import TrainOptions
from mitools.train.prepare import prepare
from mitools.train.tokenized import TokenSpool, build_data
from mitools.train.two_task_model import TwoTaskModel
from tests.toys import toy_records


def options(tmp_path: Path, student: Path | str, **changes: Any) -> TrainOptions:
    defaults = {
        "max_steps": 2,
        "eval_every": 1,
        "batch_size": 4,
        "max_label_tokens": 16,
        "max_rationale_tokens": 24,
        "prefix_position": "after",
    }
    return TrainOptions(save=tmp_path / "student", student=str(student), **{**defaults, **changes})


def batch_of(tmp_path: Path, codec: Codec) -> dict[str, Any]:
    """Batch records as a run does; one lacks its label and one its rationale."""
    records = toy_records(8)
    records[0]["label"] = records[0]["teacher"]["label"] = None
    records[1]["teacher"]["rationale"] = ""
    records[3]["input"] *= 3
    spool = TokenSpool.fill(tmp_path / "records.jsonl", records)
    data = build_data(spool, codec, options(tmp_path, "x"))
    batch = TwoTaskCollator(codec, with_rationales=True)(list(data.train))
    del batch["ids"]
    return batch


@pytest.mark.parametrize("packs", [True, False])
@pytest.mark.parametrize("mi", ["none", "maxpool", "infonce"])
def test_the_losses_and_gradients_are_those_of_two_passes(
    tmp_path: Path, tiny_causal: Path, mi: Any, packs: bool
) -> None:
    base = open_checkpoint(str(tiny_causal), "tiny")
    codec = Codec(base.tokenizer, base.kind, 512, 16, 24, prefix_position="after")
    torch.manual_seed(0)
    model = TwoTaskModel(base.model, codec, Objective(mi=mi)).eval()
    batch = batch_of(tmp_path, codec)
    read: list[int] = []
    handle = model.student.base_model.register_forward_pre_hook(
        lambda _module, _args, kwargs: read.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    found = []
    for tails in (model.tails, None):
        model.passes.tails, model.passes.packs = tails, packs and tails is not None
        outputs = model(**batch)
        outputs["loss"].backward()
        grads = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        found.append((outputs, torch.cat(grads)))
        model.zero_grad()
    handle.remove()
    (shared, shared_gradient), (plain, plain_gradient) = found
    for name, value in plain.items():
        assert shared[name].item() == pytest.approx(value.item(), rel=1e-5)
    assert (shared_gradient - plain_gradient).norm() < 1e-4 * plain_gradient.norm()
    # The input and both tasks behind it, in one pass or in three; then both whole, with padding.
    assert len(read) == (3 if packs else 5)
    assert sum(read[:-2]) < 0.7 * sum(read[-2:])


def test_a_batch_with_prompts_that_differ_is_read_whole(tmp_path: Path, tiny_causal: Path) -> None:
    base = open_checkpoint(str(tiny_causal), "tiny")
    codec = Codec(base.tokenizer, base.kind, 512, 16, 24, prefix_position="after")
    model = TwoTaskModel(base.model, codec, Objective(mi="none")).eval()
    batch = batch_of(tmp_path, codec)
    batch["label"]["prompt_ids"] = batch["label"]["prompt_ids"].flip(0)
    batch["label"]["prompt_mask"] = batch["label"]["prompt_mask"].flip(0)
    shared = model(**batch)["loss"].item()
    model.passes.tails = None
    assert model(**batch)["loss"].item() == pytest.approx(shared, rel=1e-6)


def test_a_run_is_saved_with_the_place_of_its_prefix(tmp_path: Path, tiny_causal: Path) -> None:
    run = prepare(iter(toy_records()), options(tmp_path, tiny_causal), lambda _: None)
    assert run.model.tails is not None
    assert ("rationale prompt" in dict(describe_training(run))) is True
    run.execute()
    run.clean()
    metadata = json.loads((tmp_path / "student" / "mitools.json").read_text())
    assert metadata["prefix_position"] == "after"
    student = load_student(tmp_path / "student")
    assert student.codec.prefix_position == "after"
    prompt = student.codec.encode_prompt("label", "x")[0]
    assert student.codec.tokenizer.decode(prompt).endswith("\npredict:\n")
    assert student.generate_labels(["x"])[0].tokens <= 16


def test_an_encoder_is_refused_for_it_reads_the_task_with_the_input(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    with pytest.raises(UsageError, match="needs a causal student"):
        prepare(iter(toy_records()), options(tmp_path, tiny_seq2seq), lambda _: None)
    assert not (tmp_path / "student.work").exists()

"""Runs of low-rank adapters: what is trained, saved, resumed, refused."""

from __future__ import annotations

import json
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mitools.errors import TrainingError, UsageError
from mitools.student import load_student
from mitools.train.dry_run import describe_training
from mitools.train.options import TrainOptions
from mitools.train.prepare import prepare
from mitools.train.training_run import Interrupted
from mitools.train.work_folder.checkpoints import seal
from tests.toys import toy_records
from tests.train.test_training_run import is_same, signal_at, weights

pytest.importorskip("peft", reason='adapters need peft: pip install "mitools[lora]"')

Kinds = pytest.mark.parametrize("kind", ["tiny_seq2seq", "tiny_causal"])


def options(tmp_path: Path, student: Path | str, **changes: Any) -> TrainOptions:
    defaults = {
        "max_steps": 4,
        "eval_every": 2,
        "batch_size": 4,
        "max_label_tokens": 16,
        "max_rationale_tokens": 24,
        "mi": "maxpool",
        "lora": 2,
    }
    return TrainOptions(save=tmp_path / "student", student=str(student), **{**defaults, **changes})


def train(chosen: TrainOptions) -> None:
    run = prepare(iter(toy_records()), chosen, lambda _: None)
    run.execute()
    run.clean()


@Kinds
def test_plain_transformers_loads_what_adapters_taught(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    folder: Path = request.getfixturevalue(kind)
    train(options(tmp_path, folder))
    saved = tmp_path / "student"
    auto = AutoModelForCausalLM if kind == "tiny_causal" else AutoModelForSeq2SeqLM
    model = auto.from_pretrained(saved)
    before, after = weights(folder), weights(saved)
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert not any("embed" in name or "shared" in name or "norm" in name for name in changed)
    student = load_student(saved)
    prompt = student.codec.encode_prompt("label", "Ann has 3 pears.")[0]
    theirs = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        max_new_tokens=16,
        do_sample=False,
    )[0]
    skip = len(prompt) if kind == "tiny_causal" else 1
    ours = student.generate_labels(["Ann has 3 pears."])[0]
    assert (
        AutoTokenizer.from_pretrained(saved).decode(theirs[skip:], skip_special_tokens=True).strip()
        == ours.text
    )
    metadata = json.loads((saved / "mitools.json").read_text())
    assert metadata["options"]["lora"] == 2
    assert "rank 2, merged into the weights" in (saved / "README.md").read_text()


@pytest.mark.parametrize(
    ("kind", "term"),
    [
        ("tiny_seq2seq", {"mi": "infonce"}),
        ("tiny_causal", {"mi": "infonce"}),
        ("tiny_causal", {"mi": "conclude", "beta": 0.5, "mi_control": "past"}),
    ],
    ids=["seq2seq", "causal", "conclude"],
)
def test_a_resumed_run_of_adapters_equals_an_uninterrupted_one(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, term: dict[str, Any]
) -> None:
    folder: Path = request.getfixturevalue(kind)
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    changes = {**term, "select_by": "label-loss", "max_steps": 6}
    train(options(tmp_path / "whole", folder, **changes))
    chosen = options(tmp_path / "cut", folder, **changes)
    run = prepare(iter(toy_records()), chosen, lambda _: None)
    with pytest.raises(Interrupted, match="--resume"):
        run.execute(signal_at(3, signal.SIGTERM))
    train(replace(chosen, resume=True))
    assert is_same(weights(tmp_path / "whole" / "student"), weights(chosen.save))


def test_a_checkpoint_is_a_whole_student_and_what_to_go_on_from(
    tmp_path: Path, tiny_causal: Path
) -> None:
    chosen = options(tmp_path, tiny_causal)
    run = prepare(iter(toy_records()), chosen, lambda _: None)
    with pytest.raises(Interrupted):
        run.execute(signal_at(1, signal.SIGINT))
    checkpoint = max(chosen.work.glob("checkpoint-*"), key=lambda path: path.stat().st_mtime)
    assert load_student(checkpoint).generate_labels(["x"])[0].tokens <= 16
    path = checkpoint / "adapters.safetensors"
    adapters = load_file(path)
    assert adapters
    assert all(".lora_" in name for name in adapters)
    name = next(iter(adapters))
    save_file({key: value for key, value in adapters.items() if key != name}, path)
    seal(checkpoint)  # whole, but of another model
    with pytest.raises(TrainingError, match=r"of another model.*--overwrite"):
        train(replace(chosen, resume=True))
    path.unlink()
    with pytest.raises(TrainingError, match=r"all checkpoints in .* are damaged"):
        train(replace(chosen, resume=True))
    seal(checkpoint)
    with pytest.raises(TrainingError, match="cannot use the checkpoint"):
        train(replace(chosen, resume=True))


def test_a_run_is_not_resumed_beside_another_base_model(tmp_path: Path, tiny_causal: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_causal, base)
    chosen = options(tmp_path, base)
    run = prepare(iter(toy_records()), chosen, lambda _: None)
    with pytest.raises(Interrupted):
        run.execute(signal_at(1, signal.SIGINT))
    changed = {name: 1.1 * weight for name, weight in weights(base).items()}
    save_file(changed, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TrainingError, match=r"the base model has changed since the run began"):
        train(replace(chosen, resume=True))
    assert not chosen.save.exists()


def test_a_dry_run_counts_what_is_trained_and_what_is_only_held(
    tmp_path: Path, tiny_causal: Path
) -> None:
    run = prepare(iter(toy_records()), options(tmp_path, tiny_causal, mi="none"), lambda _: None)
    found = dict(describe_training(run))
    run.clean()
    count = int(found["weights to train"].replace(",", ""))
    assert 0 < count < sum(weight.numel() for weight in run.model.parameters()) / 2


@pytest.mark.parametrize("student", ["scratch:tiny", "encoder:somewhere"])
def test_random_weights_are_not_frozen(tmp_path: Path, student: str) -> None:
    with pytest.raises(
        UsageError, match=r"freezes the weights, and those of --student \S+ are random"
    ):
        options(tmp_path, student).check()


def test_adapters_learn_at_a_higher_rate() -> None:
    assert options(Path("x"), "some/model").peak_learning_rate == 1e-3
    assert options(Path("x"), "some/model", lora=None).peak_learning_rate == 1e-4
    assert options(Path("x"), "some/model", learning_rate=3e-4).peak_learning_rate == 3e-4

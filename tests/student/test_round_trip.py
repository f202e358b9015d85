"""Students of many classes come back from disk as they were saved, or are refused beforehand."""

from __future__ import annotations

import signal
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mitools.errors import MitoolsError
from mitools.student import load_student
from mitools.student.base.scratch import build_tokenizer
from mitools.student.codec import Codec, Kind
from mitools.student.round_trip import KNOWN_TO_SAVE, check_saving
from mitools.student.trial import check_forward, trial_logits
from mitools.train.options import TrainOptions
from mitools.train.prepare import prepare
from mitools.train.training_run import Interrupted, TrainingRun
from tests.every_class import Unbuilt, build, classes
from tests.toys import toy_records

FEW = [
    "BartForConditionalGeneration",
    "BloomForCausalLM",
    "Gemma2ForCausalLM",
    "GPTNeoXForCausalLM",
    "MarianMTModel",
    "MixtralForCausalLM",
    "Qwen2MoeForCausalLM",
    "UMT5ForConditionalGeneration",
]
BY_NAME = {name: (kind, model_type, name) for kind, model_type, name in classes()}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return build_tokenizer((record["input"] for record in toy_records()), 320)


def small(name: str, tokenizer: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build(*BY_NAME[name], tokenizer)


@pytest.mark.parametrize("name", FEW)
def test_a_class_trains_stops_resumes_and_answers(
    tmp_path: Path, tokenizer: Any, name: str
) -> None:
    """Also where the library renames or regroups weights when it writes them."""
    small(name, tokenizer).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    chosen = TrainOptions(
        save=tmp_path / "student",
        student=str(tmp_path / "base"),
        max_steps=2,
        eval_every=2,
        batch_size=4,
        max_label_tokens=16,
        max_rationale_tokens=24,
    )
    run = prepare(iter(toy_records()), chosen, lambda _: None)
    assert isinstance(run, TrainingRun)

    def interrupt(step: int, _logs: Any) -> None:
        if step == 1:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        run.execute(interrupt)
    run = prepare(iter(toy_records()), replace(chosen, resume=True), lambda _: None)
    assert isinstance(run, TrainingRun)
    run.execute()
    run.clean()
    student = load_student(chosen.save, "cpu")
    trained = trial_logits(run.model.student.eval(), run.codec)
    assert torch.allclose(trial_logits(student.model, student.codec), trained, atol=1e-5)
    assert len(student.generate_rationales(["Ann has 3 pears."])) == 1
    assert len(student.score_choices(["Ann has 3 pears."], [["3", "4"]])[0]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_every_class_comes_back_or_is_refused_in_one_line(
    tmp_path: Path, tokenizer: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = try_class(name, tokenizer, tmp_path / "trial", monkeypatch)
    if outcome.startswith("no tiny"):
        pytest.skip(outcome)
    if name in KNOWN_TO_SAVE:
        assert outcome == "works"
    assert outcome == "works" or outcome.startswith("refused: ")
    assert "\n" not in outcome


def try_class(name: str, tokenizer: Any, folder: Path, patch: pytest.MonkeyPatch) -> str:
    """Say whether a class works; called by the benchmark as well."""
    patch.setattr("mitools.student.round_trip.KNOWN_TO_SAVE", frozenset())
    kind: Kind = BY_NAME[name][0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = small(name, tokenizer)
        except Unbuilt as exc:
            return f"no tiny configuration: {exc}"
        codec = Codec(tokenizer, kind, 64, 16, 24)
        try:
            check_forward(model, codec)
            check_saving(model, codec, folder)
        except MitoolsError as exc:
            return f"refused: {exc.message}"
    return "works"

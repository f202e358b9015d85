"""The options of an evaluation: defaults, and what does not go together."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields, replace
from typing import Any

import pytest

from mitools.asking.answering import Answering
from mitools.cli._eval_options import RunFiles, eval_options
from mitools.cli.eval import command
from mitools.errors import UsageError
from mitools.evaluate.options import EvalOptions, JudgeOptions

JUDGE = JudgeOptions("judge-1")


def test_the_defaults_go_together() -> None:
    EvalOptions().check(has_student=False)
    EvalOptions().check(has_student=True)


CONCLUDES = {"order": "separate", "concludes": True}
WEIGHTED = {**CONCLUDES, "answer_weight": {"value": 0.75, "fitted_on": 30}}
NAMING = {**WEIGHTED, "answer": "named"}


@pytest.mark.parametrize(
    ("metadata", "options", "way", "weight"),
    [
        ({}, {}, "predict", None),
        ({"order": "rationale-label"}, {}, "predict", None),
        (CONCLUDES, {}, "predict", None),
        (CONCLUDES, {"answer": "both"}, "both", None),
        (CONCLUDES, {"answer": "both", "draws": 4}, "both", None),
        (CONCLUDES, {"answer": "conclude"}, "conclude", None),
        (WEIGHTED, {}, "both", 0.75),
        (WEIGHTED, {"split": "all", "answer": "both"}, "both", 0.75),
        (WEIGHTED, {"answer": "both", "answer_weight": 0.1}, "both", 0.1),
        (WEIGHTED, {"answer": "both", "draws": 4}, "both", None),
        (WEIGHTED, {"decode": True}, "predict", None),
        (WEIGHTED, {"answer": "predict"}, "predict", None),
        (NAMING, {}, "named", None),
        (NAMING, {"target_accuracy": 0.9}, "both", 0.75),
        (NAMING, {"target_accuracy": 0.9, "answer": "named"}, "named", None),
        (NAMING, {"answer": "both"}, "both", 0.75),
        (NAMING, {"decode": True}, "predict", None),
    ],
)
def test_a_student_answers_by_both_readings_where_it_has_their_weight(
    metadata: dict[str, Any], options: dict[str, Any], way: str, weight: float | None
) -> None:
    given = EvalOptions(**options)
    given.check(has_student=True)
    chosen = given.for_student(metadata)
    assert (chosen.answer, chosen.answer_weight) == (way, weight)
    assert chosen.for_student(metadata) == chosen
    assert replace(chosen, answer=given.answer, answer_weight=given.answer_weight) == given


def test_a_weight_cannot_be_fitted_on_what_is_evaluated() -> None:
    options = EvalOptions(answer="both", split="all")
    with pytest.raises(UsageError, match="--answer both fits a weight on the valid split"):
        options.for_student(CONCLUDES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"probes": ("cue",), "rationales": False}, "--probe needs rationales"),
        ({"judge": JUDGE, "rationales": False}, "--judge needs rationales"),
        ({"temperature": True, "split": "all"}, "--temperature is fitted on the valid split"),
        ({"temperature": True, "split": "valid"}, "--temperature is fitted on the valid split"),
        ({"task": "essay"}, '--task must be one of .*, not "essay"'),
        ({"split": "dev"}, '--split must be one of train, valid, test, all, not "dev"'),
        ({"simulator": "remote"}, '--simulator must be one of local, none, not "remote"'),
        ({"probes": ("cue", "poke")}, '--probe must be one of .*, not "poke"'),
        ({"permutations": -1}, "--permutations must be at least 0, not -1"),
        ({"probe_records": 0}, "--probe-records must be at least 1, not 0"),
        ({"judge": replace(JUDGE, records=0)}, "--judge-records must be at least 1, not 0"),
        ({"batch_size": 0}, "--batch-size must be at least 1, not 0"),
        ({"precision": "fp16"}, '--precision must be one of fp32, bf16, not "fp16"'),
        ({"tokens_per_batch": 0}, "--tokens-per-batch must be at least 1, not 0"),
        (
            {"answer": "guess"},
            '--answer must be one of predict, conclude, both, named, not "guess"',
        ),
        ({"answer": "both", "draws": 0}, "--draws must be at least 1, not 0"),
        (
            {"answer": "both", "answer_weight": 1.5},
            "--answer-weight must be between 0 and 1, not 1.5",
        ),
        ({"draws": 4}, "--draws needs answers that come from rationales"),
        ({"answer_weight": 0.5}, "--answer-weight needs labels read after a rationale"),
        ({"answer": "conclude", "decode": True}, "--decode needs labels of the predict pass"),
        ({"target_accuracy": 1.0}, "--target-accuracy must be above 0 and below 1, not 1"),
        (
            {"target_accuracy": float("nan")},
            "--target-accuracy must be above 0 and below 1, not nan",
        ),
        ({"target_accuracy": 0.9, "risk": 0.5}, "--risk must be above 0 and below 0.3, not 0.5"),
        ({"target_accuracy": 0.9, "split": "valid"}, "--target-accuracy is tested on the test"),
        ({"target_accuracy": 0.9, "confidence": "p"}, '--confidence must be one of .*, not "p"'),
        ({"target_accuracy": 0.9, "calibrate_on": "x"}, "--calibrate-on must be one of .*, not"),
        ({"risk": 0.1}, "--risk needs a target"),
        ({"confidence": "margin"}, "--confidence needs a target"),
        ({"calibrate_on": "test"}, "--calibrate-on needs a target"),
        ({"by": ("type", " ")}, "--by needs the name of a field"),
    ],
)
def test_what_is_wrong_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        EvalOptions(**options).check(has_student=True)


def test_a_probe_needs_a_student() -> None:
    options = EvalOptions(probes=("cue",))
    options.check(has_student=True)
    with pytest.raises(UsageError, match="--probe needs a student"):
        options.check(has_student=False)


def test_a_way_of_answering_needs_a_student_and_fits_where_no_weight_is_given() -> None:
    options = EvalOptions(answer="both", draws=4, seed=3)
    options.check(has_student=True)
    with pytest.raises(UsageError, match="--answer needs a student"):
        options.check(has_student=False)
    assert options.answering == Answering("both", 4, None, 3)
    assert options.fits_weight
    assert not replace(options, answer_weight=0.0).fits_weight
    assert not replace(options, answer="conclude").fits_weight
    replace(options, answer_weight=0.3, split="all").check(has_student=True)
    options.for_scoring().check(has_student=False)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, 0),
        ({"probe_records": 5}, 0),
        ({"probes": ("cue",), "probe_records": 5}, 5),
        ({"judge": replace(JUDGE, records=7)}, 7),
        ({"judge": replace(JUDGE, records=7), "outcomes": True}, 4_000),
        ({"probes": ("cue",), "probe_records": 9, "judge": replace(JUDGE, records=7)}, 9),
    ],
)
def test_records_are_kept_for_probes_and_judge_alone(options: dict[str, Any], size: int) -> None:
    assert EvalOptions(**options).sample_size == size


def test_a_baseline_is_only_scored() -> None:
    options = EvalOptions(
        split="test", probes=("cue",), embedding="e", judge=JUDGE, seed=3, by=("type",)
    )
    scoring = options.for_scoring()
    scoring.check(has_student=False)
    assert (scoring.split, scoring.seed, scoring.sample_size) == ("test", 3, 4_000)
    assert (scoring.simulator, scoring.embedding, scoring.outcomes) == ("none", None, True)
    assert scoring.by == ()


def parsed(*args: str) -> EvalOptions:
    """Make the options that the command makes of its arguments."""
    params = command.make_context("eval", list(args)).params
    shared = {
        "files",
        "output",
        "on_error",
        "debug",
        "config",
        "quiet",
        "max_line_bytes",
        "is_full",
    }
    ours = {name: value for name, value in params.items() if name not in shared}
    ours = {name: value for name, value in ours.items() if name not in ("max_depth", "max_digits")}
    files = RunFiles(*(ours.pop(field.name) for field in fields(RunFiles)))
    return eval_options(ours, files)


def test_the_command_has_the_defaults_of_the_library() -> None:
    assert parsed() == EvalOptions()
    assert parsed("--judge", "judge-1").judge == JUDGE


def test_the_command_sets_each_option() -> None:
    args = "--task text --split all --no-rationales --decode --temperature --simulator none"
    by = "--by type --by a.b"
    more = "--permutations 3 --probe cue --probe editing --probe-records 4 --embedding here --merge"
    last = "--seeds --batch-size 5 --tokens-per-batch 6 --device cpu --seed 7 --precision bf16"
    judge = "--judge m --judge-url http://127.0.0.1:9 --judge-journal j --judge-records 8"
    assert parsed(*" ".join((args, by, more, last, judge)).split()) == EvalOptions(
        task="text",
        split="all",
        rationales=False,
        decode=True,
        temperature=True,
        simulator="none",
        permutations=3,
        by=("type", "a.b"),
        probes=("cue", "editing"),
        probe_records=4,
        embedding="here",
        judge=JudgeOptions("m", "http://127.0.0.1:9", "j", 8),
        unique_ids=True,
        outcomes=True,
        batch_size=5,
        tokens_per_batch=6,
        device="cpu",
        precision="bf16",
        seed=7,
    )


def test_options_are_plain_json() -> None:
    asked = EvalOptions(probes=("cue",), judge=JUDGE).as_json()
    assert json.loads(json.dumps(asked))["judge"]["model"] == "judge-1"


def test_options_are_imported_without_numpy_or_torch() -> None:
    code = (
        "import sys, mitools.evaluate.options\n"
        "sys.exit(bool({'numpy', 'torch', 'sklearn'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_baseline_is_scored_without_an_operating_point() -> None:
    options = EvalOptions(
        target_accuracy=0.9, risk=0.1, confidence="margin", calibrate_on="test"
    ).for_scoring()
    options.check(has_student=False)
    assert options.target_accuracy is None

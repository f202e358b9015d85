"""Evaluation from Python gives what the command line writes."""

from __future__ import annotations

import doctest
import json
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from mitools.cascade.ask_student import open_asking_student
from mitools.cli import mitools as cli
from mitools.errors import DataError, StudentError, TeacherRefusedError, UsageError
from mitools.evaluate import evaluate_student as module
from mitools.evaluate.evaluate_student import compare_runs, evaluate_student
from mitools.evaluate.measures import statistics
from mitools.evaluate.options import EvalOptions, JudgeOptions
from mitools.operating.point import OperatingPoint
from mitools.records import Record
from tests.server import KEY, Act, FixtureServer


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 200)
    monkeypatch.setattr(statistics, "_FEWEST_RESAMPLES", 200)


def equation(number: int, **more: Any) -> Record:
    return {
        "id": str(number),
        "input": f"Ann has {number} pears and gets 1. How many?",
        "label": f"( {number} + 1 )",
        "task": "equation",
        **more,
    }


def answered(number: int, *, right: bool = True, **more: Any) -> Record:
    label = f"({number} + 1)" if right else str(number)
    student = {"label": label, "rationale": f"{number} + 1 = {number + 1}", "confidence": 0.75}
    return equation(number, student=student, **more)


def written(tmp_path: Path, records: Sequence[Record], *args: Any) -> tuple[list[Record], Any]:
    """Run ``mitools eval`` on records: what it writes to stdout and to ``--summary``."""
    source, file = tmp_path / "records.jsonl", tmp_path / "summary.json"
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    command = ["eval", str(source), "--summary", str(file), *map(str, args)]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()], json.loads(file.read_text())


def without_files(summary: dict[str, Any]) -> dict[str, Any]:
    """Leave out the files that only the command line knows."""
    run = summary["provenance"]["run"]
    if run is not None:
        for name in ("student", "summary", "compare", "seeds", "merge"):
            run["asked"].pop(name, None)
    return summary


def assert_equal_to_the_command(
    tmp_path: Path,
    records: Sequence[Record],
    options: EvalOptions,
    *args: Any,
    student: Path | None = None,
) -> dict[str, Any]:
    judged, summary = written(tmp_path, records, *args)
    evaluation = evaluate_student(records, options, student)
    assert list(evaluation) == judged
    ours = json.loads(json.dumps(evaluation.summary()))
    unlike = {"costs": 0}  # measured times
    assert {**without_files(ours), **unlike} == {**without_files(summary), **unlike}
    assert ours["costs"].keys() == summary["costs"].keys()
    return ours


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_seq2seq: Path) -> Path:
    """An untrained student of a few thousand weights."""
    from mitools.student import save_student
    from mitools.student.base.open_base import open_checkpoint
    from mitools.student.codec import Codec

    base = open_checkpoint(str(tiny_seq2seq), "tiny")
    path = tmp_path_factory.mktemp("student") / "tiny"
    codec = Codec(base.tokenizer, base.kind, 256, 12, 20)
    save_student(path, base.model, codec, {"task": "equation"})
    return path


def test_temperature_seed_and_simulator_are_those_of_the_command(tmp_path: Path) -> None:
    records = [answered(n, right=n % 3 > 0, split="test" if n % 4 else "valid") for n in range(80)]
    options = EvalOptions(temperature=True, permutations=2, seed=3)
    args = ("--temperature", "--permutations", 2, "--seed", 3)
    found = assert_equal_to_the_command(tmp_path, records, options, *args)
    assert found["temperature"]["temperature"]["n"] > 0
    assert found["association"]["cvi_net"]["status"] == "ok"


def test_a_student_and_its_probes_give_what_the_command_writes(
    tmp_path: Path, folder: Path
) -> None:
    records = [equation(n) for n in range(6)]
    options = EvalOptions(probes=("cue", "robustness"), probe_records=2, device="cpu")
    args = ("--student", folder, "--probe", "cue", "--probe", "robustness", "--probe-records", 2)
    found = assert_equal_to_the_command(
        tmp_path, records, options, *args, "--device", "cpu", student=folder
    )
    assert found["probes"]["cue"]["followed"]["n"] == 2
    assert found["probes"]["attribution"]["spearman"]["status"] == "skipped"
    assert found["provenance"]["run"]["asked"]["probes"] == ["cue", "robustness"]


def test_the_precision_is_that_of_the_run_and_of_its_operating_point(
    tmp_path: Path, folder: Path
) -> None:
    records = [equation(n, split="test" if n % 2 else "valid") for n in range(8)]
    args = ("--student", folder, "--precision", "bf16", "--target-accuracy", 0.5)
    judged, summary = written(tmp_path, records, *args)
    assert len(judged) == len(records)
    assert summary["provenance"]["run"]["dtype"] == "bfloat16"
    assert OperatingPoint.load(folder).precision == "bf16"
    asking = open_asking_student(str(folder), threshold=0.5, device="cpu")
    assert asking.opened.student.dtype == torch.bfloat16  # type: ignore[attr-defined]


def test_an_open_student_answers_like_its_folder(folder: Path) -> None:
    from mitools.student import load_student

    records = [equation(n) for n in range(3)]
    options = EvalOptions(simulator="none", device="cpu")
    by_folder = list(evaluate_student(records, options, folder))
    by_object = list(evaluate_student(records, options, load_student(folder, "cpu")))
    assert by_object[0]["student"].pop("model") == "LocalStudent"
    assert by_folder[0]["student"].pop("model").startswith("tiny@")
    assert by_object[0] == by_folder[0]


def test_an_encoder_gives_what_the_command_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Encoder:
        def __init__(self, spec: str, _device: str | None) -> None:
            self.name, self.folder = spec, tmp_path / "encoder"

        def similarities(self, texts: Sequence[str], references: Sequence[str]) -> list[float]:
            pairs = zip(texts, references, strict=True)
            return [min(len(text), len(other)) / 100 for text, other in pairs]

    (tmp_path / "encoder").mkdir()
    monkeypatch.setattr("mitools.student.sentence_encoder.SentenceEncoder", Encoder)
    records = [answered(n, rationale=f"It is {n} and 1.") for n in range(9)]
    options = EvalOptions(embedding="here", simulator="none")
    args = ("--embedding", "here", "--simulator", "none")
    found = assert_equal_to_the_command(tmp_path, records, options, *args)
    assert found["overlap"]["human"]["embedding"]["n"] == 9


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FixtureServer]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FixtureServer() as running:
        running.act = lambda call: Act(text=f"Score: {2 + len(call.question) % 4}")
        yield running


def test_a_judge_gives_what_the_command_writes(tmp_path: Path, server: FixtureServer) -> None:
    records = [answered(n) for n in range(0, 400, 45)]
    judge = JudgeOptions("judge-1", server.url, records=5)
    args = ("--judge", "judge-1", "--judge-url", server.url, "--judge-records", 5)
    options = EvalOptions(judge=judge, simulator="none")
    found = assert_equal_to_the_command(tmp_path, records, options, *args, "--simulator", "none")
    assert found["judge"]["score"]["n"] == 5
    assert found["judge"]["about"] == {"model": "judge-1", "records": 5, "of": 9}


def test_a_judge_without_a_key_is_refused_before_any_record_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)

    def records() -> Iterator[Record]:
        pytest.fail("a record was read")
        yield {}

    judge = JudgeOptions("judge-1")
    with pytest.raises(TeacherRefusedError, match="OPENAI_API_KEY"):
        evaluate_student(records(), EvalOptions(judge=judge))


def test_a_comparison_is_the_block_that_the_command_writes(tmp_path: Path) -> None:
    ours = [answered(n, right=n % 4 > 0) for n in range(12)]
    theirs = [answered(n, right=n % 3 == 0) for n in range(2, 14)]
    baseline = tmp_path / "baseline.jsonl"
    baseline.write_text("".join(json.dumps(record) + "\n" for record in theirs))
    _, summary = written(tmp_path, ours, "--compare", baseline, "--simulator", "none", "--seed", 5)
    comparison = compare_runs(ours, theirs, EvalOptions(seed=5))
    assert json.loads(json.dumps(comparison)) == summary["comparison"]
    assert (comparison["records"], comparison["unmatched"]) == (10, 4)


def test_runs_without_a_common_record_cannot_be_compared() -> None:
    with pytest.raises(DataError, match="no record is in both"):
        compare_runs([answered(1)], [answered(2)])


def test_a_summary_reads_the_records_that_nobody_iterated_over() -> None:
    evaluation = evaluate_student([answered(n) for n in range(5)], EvalOptions(simulator="none"))
    assert next(iter(evaluation))["id"] == "0"
    assert evaluation.summary()["records"] == 5
    assert list(evaluation) == []


def test_records_are_read_one_by_one() -> None:
    read: list[int] = []

    def records() -> Iterator[Record]:
        for number in range(3):
            read.append(number)
            yield answered(number)

    evaluation = evaluate_student(records(), EvalOptions(simulator="none"))
    assert read == []
    next(iter(evaluation))
    assert read == [0]


def test_labels_that_the_task_cannot_read_are_warned_of() -> None:
    found: list[str] = []
    records = [answered(1), {**answered(2), "label": "nine pears"}]
    evaluate_student(records, EvalOptions(simulator="none"), warn=found.append).summary()
    assert [text for text in found if "gold labels cannot be read" in text]


def test_a_record_that_cannot_be_judged_is_rejected_and_the_others_go_on() -> None:
    rejected: list[str] = []
    evaluation = evaluate_student(
        [answered(1), equation(2), answered(3)],
        EvalOptions(simulator="none"),
        reject=lambda record, _reason: rejected.append(record["id"]),
    )
    assert [record["id"] for record in evaluation] == ["1", "3"]
    assert rejected == ["2"]


def test_options_that_do_not_go_together_are_refused_at_once() -> None:
    with pytest.raises(UsageError, match="--probe needs a student"):
        evaluate_student([], EvalOptions(probes=("cue",)))


def test_a_folder_without_a_student_is_refused_when_it_is_needed(tmp_path: Path) -> None:
    evaluation = evaluate_student([equation(1)], student=tmp_path)
    with pytest.raises(StudentError):
        list(evaluation)


@pytest.mark.parametrize("function", [evaluate_student, compare_runs])
def test_the_example_of_the_docstring_runs(function: Any) -> None:
    holder = types.SimpleNamespace(__doc__=function.__doc__, __name__=function.__name__)
    parser = doctest.DocTestParser()
    globs: dict[str, Any] = {"mitools": module}
    test = parser.get_doctest(holder.__doc__, globs, holder.__name__, None, 0)
    assert len(test.examples) > 2
    assert doctest.DocTestRunner().run(test).failed == 0

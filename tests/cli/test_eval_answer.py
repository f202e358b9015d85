"""``mitools eval --answer``: labels from either reading of a student, or from both."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import mitools.student
from mitools.asking.answering import WAYS
from mitools.cli import mitools as program
from mitools.evaluate.measures import statistics
from tests.asking.two_readings import TwoReadings, closed

NAMES = tuple(f"{name} {n}" for n in range(3) for name in ("fish", "apes", "bats", "ants"))
KNOWS = {"sea": 0.6, "tree": 0.1}
GUESSES = {"sea": 0.3, "tree": 0.4}


def student() -> TwoReadings:
    """Make a student that is right about fish in its predict pass, about apes after a rationale."""
    return TwoReadings(
        {name: KNOWS if name.startswith("fish") else GUESSES for name in NAMES},
        {
            "They swim. So the answer is (a) sea.": KNOWS,
            "They climb. So the answer is (b) tree.": GUESSES,
        },
        {
            name: "They swim. So the answer is (a) sea."
            if name.startswith(("apes", "bats"))
            else "They climb. So the answer is (b) tree."
            for name in NAMES
        },
        drawn=("They swim. So the answer is (a) sea.",),
        metadata={"format": 1, "kind": "seq2seq", "task": "choice", "concludes": True},
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> TwoReadings:
    """Stand a fake in for the model code."""
    fake = student()
    module = types.ModuleType("mitools.student")
    module.load_student = lambda *_args, **_options: fake  # type: ignore[attr-defined]
    module.__path__ = [str(Path(mitools.student.__file__).parent)]
    monkeypatch.setitem(sys.modules, "mitools.student", module)
    monkeypatch.setattr(statistics, "RESAMPLES", 200)
    monkeypatch.setattr(statistics, "_FEWEST_RESAMPLES", 200)
    return fake


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "two"
    path.mkdir()
    (path / "model.safetensors").write_bytes(b"weights")
    return path


def run(*args: Any, records: Sequence[dict[str, Any]] = (), text: str = "") -> Result:
    given = text or "".join(json.dumps(record) + "\n" for record in records)
    return CliRunner().invoke(program, ["eval", *map(str, args)], input=given)


def parsed(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


RECORDS = [
    *(closed(name, split="test") for name in NAMES),
    # Where the weight is fitted the predict pass is right once, the other reading twice.
    *(
        closed(name, split="valid") | {"id": f"valid-{name}"}
        for name in ("apes 0", "bats 0", "fish 0")
    ),
]


def test_all_three_answers_leave_and_the_way_decides_the_label(
    asked: TwoReadings, folder: Path
) -> None:
    for way in ("predict", "conclude", "both"):
        found = parsed(run("--student", folder, "--answer", way, records=RECORDS))
        tests = [record for record in found if record["split"] == "test"]
        assert [record["id"] for record in tests] == list(NAMES)
        fish = tests[0]["student"]
        if way == "predict":
            assert fish["label"] == "sea"
            assert not {"answers", "answered_by"} & fish.keys()
            continue
        assert fish["answered_by"] == way
        assert {name: one["label"] for name, one in fish["answers"].items()} == {
            "predict": "sea",
            "conclude": "tree",
            "both": fish["answers"]["both"]["label"],
            "named": fish["answers"]["named"]["label"],
        }
        assert fish["label"] == fish["answers"][way]["label"]
        assert fish["confidence"] == fish["answers"][way]["confidence"]
        assert len(found) - len(tests) == (3 if way == "both" else 0)


def test_the_weight_is_fitted_on_valid_and_shown_with_every_way(
    asked: TwoReadings, folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "figures.json"
    # The predict pass is right about 5 of them, the other reading about 40.
    more = [
        {**one, "id": f"{one['id']} {n}"}
        for one in RECORDS[len(NAMES) :]
        for n in range(5 if one["input"].startswith("fish") else 20)
    ]
    records = [*RECORDS[: len(NAMES)], *more]
    result = run("--student", folder, "--answer", "both", "--summary", file, records=records)
    found = json.loads(file.read_text())
    ways = found["answers"]
    assert found["records"] == 12
    assert ways["weight"]["n"] == 45
    assert ways["weight"]["is_fitted"] is True
    assert 0 < ways["weight"]["value"] < 0.5
    weights = {record["student"]["answers"]["both"]["weight"] for record in parsed(result)}
    assert weights == {ways["weight"]["value"]}
    # Of fish, apes, bats and ants the readings agree on ants alone, and there they are wrong.
    assert (ways["agreement"]["value"], ways["accuracy_agreed"]["value"]) == (0.25, 0)
    assert [ways[way]["accuracy"]["value"] for way in ("predict", "conclude")] == [0.25, 0.5]
    assert ways["predict"]["accuracy_disagreed"]["value"] == pytest.approx(1 / 3, abs=1e-5)
    assert ways["conclude"]["consistency"]["value"] == 1
    for name in ("value", "ci95", "n"):
        assert ways["both"]["accuracy"][name] == found["label"]["accuracy"][name]
        assert ways["both"]["ece_width"][name] == found["calibration"]["ece_width"][name]
    assert [ways[way]["tokens"]["value"] for way in ("predict", "conclude", "both")] == [0, 10, 10]
    assert ways["both"]["seconds"]["status"] == "ok"
    heading = (
        f"mitools eval: by way of answering: weight of predict {ways['weight']['value']:.2f}, "
        "fitted on 45 records; readings agree on 25.0%, 0.0% of them right"
    )
    assert heading in result.stderr
    rows = [line.split() for line in result.stderr.splitlines()]
    assert any(row[:2] == ["conclude", "50.0%"] for row in rows)


def test_answers_are_scored_again_without_a_model(
    asked: TwoReadings, folder: Path, tmp_path: Path
) -> None:
    files = tmp_path / "1.json", tmp_path / "2.json"
    once = run("--student", folder, "--answer", "both", "--summary", files[0], records=RECORDS)
    again = run("--summary", files[1], text=once.stdout)
    tests = [line for line in once.stdout.splitlines() if '"split": "test"' in line]
    assert again.stdout.splitlines() == tests
    first, second = (json.loads(file.read_text()) for file in files)
    for way in WAYS:
        assert first["answers"][way].pop("seconds")["status"] == "ok"
        seconds = second["answers"][way].pop("seconds")
        assert seconds["reason"] == "time is measured where a student answers"
    costs = [document.pop("costs")["latency_p50"]["status"] for document in (first, second)]
    assert costs == ["ok", "skipped"]
    assert {**first, "provenance": 0} == {**second, "provenance": 0}


def test_a_weight_by_hand_needs_no_valid_records(asked: TwoReadings, folder: Path) -> None:
    options = ("--answer", "both", "--answer-weight", 0.75, "--split", "all")
    result = run("--student", folder, *options, records=RECORDS)
    assert {one["student"]["answers"]["both"]["weight"] for one in parsed(result)} == {0.75}
    assert "weight of predict 0.75, not fitted" in result.stderr
    assert "warning" not in result.stderr


def test_without_valid_records_both_readings_count_the_same(
    asked: TwoReadings, folder: Path
) -> None:
    result = run("--student", folder, "--answer", "both", records=RECORDS[:12])
    assert {one["student"]["answers"]["both"]["weight"] for one in parsed(result)} == {0.5}
    warning = "there is no record of the split valid, so both readings have the same weight (0.5)"
    assert f"mitools eval: warning: {warning}" in result.stderr


def test_several_draws_are_asked_for_and_counted(
    asked: TwoReadings, folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "figures.json"
    options = ("--answer", "conclude", "--draws", 3, "--seed", 5, "--summary", file)
    found = parsed(run("--student", folder, *options, records=RECORDS))
    assert {record["student"]["answers"]["conclude"]["draws"] for record in found} == {3}
    assert {record["student"]["label"] for record in found} == {"sea"}
    assert json.loads(file.read_text())["answers"]["conclude"]["tokens"]["value"] == 21
    seeds = list(asked.seeds)
    run("--student", folder, *options, records=RECORDS)
    assert asked.seeds[len(seeds) :] == seeds


def test_probes_ask_in_the_same_way(asked: TwoReadings, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    asked.direct = Anything(GUESSES)
    asked.greedy = Anything("They swim. So the answer is (a) sea.")
    asked.behind = Anything(KNOWS)
    options = ("--probe", "cue", "--probe", "editing", "--probe-records", 4, "--summary", file)
    result = run("--student", folder, "--answer", "conclude", *options, records=RECORDS)
    assert result.exit_code == 0, result.stderr
    found = json.loads(file.read_text())
    assert found["probes"]["cue"]["followed"]["value"] == 0
    editing = found["association"]["rationale_editing"]
    assert editing["early_answering"]["value"] == 0
    assert {name for name, _ in asked.asked} >= {"score behind", "explain"}


class Anything(dict[str, Any]):
    """Maps every key to one value."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __missing__(self, _key: str) -> Any:
        return self.value


def test_a_concluding_student_can_answer_by_its_predict_pass_alone(
    asked: TwoReadings, folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "figures.json"
    options = ("--answer", "predict", "--summary", file)
    result = run("--student", folder, *options, records=RECORDS)
    assert {record["student"]["label"] for record in parsed(result)} == {"sea", "tree"}
    assert {name for name, _ in asked.asked} == {"score", "explain"}
    found = json.loads(file.read_text())
    assert "answers" not in found
    editing = found["association"]["rationale_editing"]["early_answering"]
    assert editing["reason"] == 'it edits rationales and asks again: "--probe editing"'


def test_a_student_without_a_weight_answers_by_its_predict_pass(
    asked: TwoReadings, folder: Path
) -> None:
    default = run("--student", folder, records=RECORDS)
    assert parsed(default) == parsed(
        run("--student", folder, "--answer", "predict", records=RECORDS)
    )
    asked.metadata = {**asked.metadata, "answer_weight": {"value": 0.25, "fitted_on": 31}}
    assert parsed(default) != parsed(run("--student", folder, records=RECORDS))


def test_the_weight_that_a_student_brings_is_used_and_no_valid_record_is_asked(
    asked: TwoReadings, folder: Path, tmp_path: Path
) -> None:
    asked.metadata = {**asked.metadata, "answer_weight": {"value": 0.25, "fitted_on": 31}}
    file = tmp_path / "figures.json"
    options = ("--target-accuracy", 0.2, "--calibrate-on", "test", "--summary", file)
    found = parsed(run("--student", folder, "--summary", file, records=RECORDS))
    both = [record["student"]["answers"]["both"] for record in found]
    assert {(one["weight"], one["fitted_on"]) for one in both} == {(0.25, 31)}
    assert [record["id"] for record in found] == list(NAMES)
    asked_for = json.loads(file.read_text())["provenance"]["run"]["asked"]
    assert (asked_for["answer"], asked_for["answer_weight"]) == ("both", 0.25)
    run("--student", folder, *options, records=RECORDS)
    point = json.loads((folder / "operating_point.json").read_text())
    assert (point["answer"], point["answer_weight"]) == ("both", 0.25)
    later = run("--student", folder, records=RECORDS)
    assert "the operating point is not used" not in later.stderr


def test_the_way_is_chosen_before_records_are_counted(
    asked: TwoReadings, folder: Path, tmp_path: Path
) -> None:
    metadata = {"prefixes": {"label": "predict: ", "rationale": "explain: "}, **asked.metadata}
    limits = dict.fromkeys(("max_input_tokens", "max_label_tokens", "max_rationale_tokens"), 9)
    (folder / "mitools.json").write_text(json.dumps({**metadata, **limits}))
    path = tmp_path / "records.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    result = run("--student", folder, "--split", "valid", "--answer", "both", path)
    assert result.exit_code == 2
    assert "--answer both fits a weight on the valid split" in result.stderr
    assert asked.asked == []


@pytest.mark.parametrize(
    ("metadata", "way", "message"),
    [
        (
            {"order": "separate"},
            "conclude",
            'this student gives no label after its rationale, as "--answer conclude" needs; '
            'train one with "mitools train --mi conclude", or use "--answer predict"',
        ),
        (
            {"order": "rationale-label"},
            "both",
            "this student gives every label after its rationale, so it has one reading only; "
            'use "--answer conclude", or train one with "mitools train --mi conclude"',
        ),
    ],
)
def test_a_student_without_the_reading_is_refused(
    asked: TwoReadings, folder: Path, metadata: dict[str, Any], way: str, message: str
) -> None:
    asked.metadata = {"format": 1, "kind": "seq2seq", "task": "choice", **metadata}
    result = run("--student", folder, "--answer", way, records=RECORDS)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"mitools eval: {message}\n"


def test_the_answer_that_a_rationale_names_needs_no_second_reading(
    asked: TwoReadings, folder: Path, tmp_path: Path
) -> None:
    asked.metadata = {**asked.metadata, "concludes": False, "order": "separate"}
    asked.greedy = {name: "Of the choices, only the tree is alive." for name in asked.greedy}
    file = tmp_path / "figures.json"
    result = run("--student", folder, "--answer", "named", "--summary", file, records=RECORDS)
    found = parsed(result)
    assert len(found) == len(NAMES)
    assert {record["student"]["label"] for record in found} == {"tree"}
    assert {tuple(record["student"]["answers"]) for record in found} == {("predict", "named")}
    summary = json.loads(file.read_text())
    share = sum(record["label"] == "tree" for record in found) / len(found)
    assert summary["label"]["accuracy"]["value"] == pytest.approx(share, abs=1e-6)
    assert summary["answers"]["named"]["accuracy"]["value"] == summary["label"]["accuracy"]["value"]
    assert summary["consistency"]["consistency"]["value"] == 1
    rows = [line.split()[0] for line in result.stderr.splitlines() if line.strip()]
    assert [row for row in rows if row in WAYS] == ["predict", "named"]


def test_a_student_of_one_pass_concludes(asked: TwoReadings, folder: Path) -> None:
    asked.metadata = {**asked.metadata, "concludes": False, "order": "rationale-label"}
    found = parsed(run("--student", folder, "--answer", "conclude", records=RECORDS))
    assert {tuple(record["student"]["answers"]) for record in found} == {("conclude", "named")}
    assert found[0]["student"]["order"] == "rationale-label"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ("--answer", "both"),
            '--answer needs a student; name it: "--student DIR"',
        ),
        (
            ("--student", "DIR", "--draws", 2),
            "--draws needs answers that come from rationales; "
            'add "--answer named", "--answer conclude" or "--answer both"',
        ),
        (
            ("--student", "DIR", "--answer", "both", "--decode"),
            "--decode needs labels of the predict pass; "
            'leave out "--decode", or use "--answer predict"',
        ),
        (
            ("--student", "DIR", "--answer", "both", "--split", "valid"),
            "--answer both fits a weight on the valid split and needs another one to evaluate; "
            'name another split: "--split test"; or set it: "--answer-weight 0.5"',
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    asked: TwoReadings, folder: Path, args: tuple[Any, ...], message: str
) -> None:
    result = run(*(folder if arg == "DIR" else arg for arg in args), records=RECORDS)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"mitools eval: {message}\n"
    assert asked.asked == []

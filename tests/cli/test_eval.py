from __future__ import annotations

import json
import shlex
import subprocess
import sys
import types
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import mitools.student
from mitools.cli import mitools as program
from mitools.errors import StudentError
from mitools.evaluate.measures import statistics
from mitools.operating.point import OperatingPoint


@dataclass(frozen=True)
class Generation:
    text: str
    log_prob: float = -0.1
    is_truncated: bool = False
    tokens: int = 3


class Student:
    """Answers "7 - 3" with "7 - 3", and explains it."""

    metadata: dict[str, Any] = {"format": 1, "kind": "seq2seq", "task": "equation"}  # noqa: RUF012
    device = "cpu"

    def score_choices(
        self, inputs: Sequence[str], choices: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        return [[-1.0 - index for index, _ in enumerate(row)] for row in choices]

    def generate_labels(self, inputs: Sequence[str]) -> list[Generation]:
        return [Generation(text) for text in inputs]

    def generate_rationales(self, inputs: Sequence[str]) -> list[Generation]:
        return [Generation(f"So {text} is the number. The answer is {text}.") for text in inputs]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Stand a fake in for the model code; holds the arguments of each ``load_student``."""
    calls: list[Any] = []

    def load_student(path: Path, device: str | None = None, **options: Any) -> Student:
        calls.append((path, device, options))
        if not path.is_dir():
            raise StudentError(f"{path} holds no student", hint="train one")
        return Student()

    module = types.ModuleType("mitools.student")
    module.load_student = load_student  # type: ignore[attr-defined]
    module.__path__ = [str(Path(mitools.student.__file__).parent)]
    monkeypatch.setitem(sys.modules, "mitools.student", module)
    monkeypatch.setattr(statistics, "RESAMPLES", 200)
    monkeypatch.setattr(statistics, "_FEWEST_RESAMPLES", 200)
    return calls


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "svamp"
    path.mkdir()
    (path / "model.safetensors").write_bytes(b"weights")
    return path


def equation(number: int, **more: Any) -> dict[str, Any]:
    text = f"{number} + 1"
    gold = text if number % 4 else "0"
    return {"id": str(number), "input": text, "label": gold, "task": "equation", **more}


def lines(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def run(*args: Any, records: Sequence[dict[str, Any]] = (), text: str = "") -> Result:
    return CliRunner().invoke(program, ["eval", *map(str, args)], input=text or lines(*records))


def parsed(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


EIGHT = [equation(number) for number in range(8)]


def test_gold_that_the_task_cannot_read_is_counted(opened: list[Any], folder: Path) -> None:
    result = run("--student", folder, records=[*EIGHT, {**equation(9), "label": "nine pears"}])
    assert result.exit_code == 0
    assert "warning: 1 of 9 gold labels cannot be read by the task equation" in result.stderr
    assert "cannot be read" not in run("--student", folder, records=EIGHT).stderr


def test_records_leave_in_order_with_answers_and_verdicts(opened: list[Any], folder: Path) -> None:
    result = run("--student", folder, records=EIGHT)
    assert result.exit_code == 0, result.stderr
    found = parsed(result)
    assert [record["id"] for record in found] == list("01234567")
    assert found[1]["student"]["label"] == "1 + 1"
    assert found[1]["student"]["model"].startswith("svamp@")
    assert [record["scores"]["correct"] for record in found] == [False, *[True] * 3] * 2


def test_stderr_shows_the_main_figures(opened: list[Any], folder: Path) -> None:
    stderr = run("--student", folder, records=EIGHT).stderr
    assert "mitools eval: 8 records, task equation, by svamp@" in stderr
    lines = stderr.splitlines()
    assert len([line for line in lines if line.startswith("  ")]) == 7  # six, and the heading
    assert lines[-1].endswith(" more figures with --all; --summary FILE writes all of them")
    more = int(lines[-1].split()[2])
    every = run("--student", folder, "--all", records=EIGHT).stderr
    figures, rest = every.split("mitools eval: what the rationale supports")
    costs = rest.split("mitools eval: costs, on this machine")[1]
    rows = [line for line in (figures + costs).splitlines() if line.startswith("  ")]
    assert len(rows) == 7 + more + 1  # costs have a heading too
    assert "more figures" not in every


def test_the_table_on_stderr_shows_accuracy_and_quadrants(opened: list[Any], folder: Path) -> None:
    stderr = run("--student", folder, "--all", records=EIGHT).stderr
    assert "mitools eval: 8 records, task equation, by svamp@" in stderr
    rows = [line.split() for line in stderr.splitlines()]
    assert ["accuracy", "75.0%", "40.9", "to", "92.9", "8"] in rows
    assert "mitools eval: what the rationale supports" in stderr
    assert ["right", "6", "0", "0", "0"] in rows


def test_quiet_says_nothing(opened: list[Any], folder: Path) -> None:
    assert run("--student", folder, "-q", records=EIGHT).stderr == ""


def test_the_summary_holds_every_figure_and_where_it_comes_from(
    opened: list[Any], folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "figures.json"
    assert run("--student", folder, "--summary", file, "--seed", 3, records=EIGHT).exit_code == 0
    found = json.loads(file.read_text())
    assert found["label"]["accuracy"]["value"] == 0.75
    assert (found["records"], found["seed"]) == (8, 3)
    provenance = found["provenance"]
    assert provenance["run"]["metadata"] == Student.metadata
    assert provenance["run"]["device"] == "cpu"
    assert provenance["run"]["asked"]["seed"] == 3
    assert len(provenance["run"]["student_hash"]) == 64
    assert provenance["software"]["mitools"]


def test_scored_records_are_scored_again_byte_for_byte_without_a_model(
    opened: list[Any], folder: Path, tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "1.json", tmp_path / "2.json"
    once = run("--student", folder, "--summary", ours, records=EIGHT)
    again = run("--summary", theirs, text=once.stdout)
    assert again.exit_code == 0, again.stderr
    assert again.stdout == once.stdout
    assert len(opened) == 1
    first, second = json.loads(ours.read_text()), json.loads(theirs.read_text())
    assert second["provenance"].pop("run") is None
    first["provenance"].pop("run")
    for summary in (first, second):  # time and memory are those of one run
        assert summary.pop("costs")
    assert json.dumps(first) == json.dumps(second)


def test_the_same_seed_gives_the_same_bytes(
    opened: list[Any], folder: Path, tmp_path: Path
) -> None:
    files = [tmp_path / name for name in ("a", "b")]
    outputs = [run("--student", folder, "--summary", file, records=EIGHT).stdout for file in files]
    assert outputs[0] == outputs[1]
    one, other = (json.loads(file.read_text().replace(str(file), "")) for file in files)
    assert one.pop("costs").keys() == other.pop("costs").keys()  # measured times differ
    assert json.dumps(one) == json.dumps(other)


def test_only_the_test_part_is_evaluated_where_records_have_one(
    opened: list[Any], folder: Path
) -> None:
    records = [equation(n, split="test" if n > 5 else "train") for n in range(8)]
    assert [r["id"] for r in parsed(run("--student", folder, records=records))] == ["6", "7"]
    everything = run("--student", folder, "--split", "all", records=records)
    assert len(parsed(everything)) == 8


def test_a_split_that_is_not_there_says_what_to_type(opened: list[Any], folder: Path) -> None:
    result = run("--student", folder, records=[equation(1, split="valid")])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        'mitools eval: no record is in the split "test" (valid: 1); '
        'choose one that is there: "--split valid"\n'
    )
    assert opened == []


def test_records_without_answers_and_no_student_say_what_to_type(opened: list[Any]) -> None:
    result = run(records=EIGHT)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        'mitools eval: <stdin>:1: record "0": field "student" is missing; '
        'name the student that is to answer: "--student DIR"\n'
    )


def test_empty_input_is_an_error_and_opens_no_student(opened: list[Any], folder: Path) -> None:
    result = run("--student", folder)
    assert result.exit_code == 1
    assert "no records" in result.stderr
    assert opened == []


def test_a_malformed_line_names_its_number(opened: list[Any], folder: Path) -> None:
    text = lines(*EIGHT[:2]) + "{oops\n" + lines(*EIGHT[2:])
    stopped = run("--student", folder, text=text)
    assert stopped.exit_code == 1
    assert "<stdin>:3:" in stopped.stderr
    skipped = run("--student", folder, "--on-error", "skip", text=text)
    assert len(parsed(skipped)) == 8


def test_a_folder_without_a_student_is_one_line(opened: list[Any], tmp_path: Path) -> None:
    result = run("--student", tmp_path / "nowhere", records=EIGHT)
    assert result.exit_code == 1
    assert result.stderr == f"mitools eval: {tmp_path}/nowhere holds no student; train one\n"


def test_a_wrong_summary_path_fails_before_any_work(
    opened: list[Any], folder: Path, tmp_path: Path
) -> None:
    result = run("--student", folder, "--summary", tmp_path / "no" / "x.json", records=EIGHT)
    assert (result.exit_code, opened) == (1, [])
    assert "mkdir -p" in result.stderr


def test_a_summary_to_stdout_is_a_usage_error(opened: list[Any], folder: Path) -> None:
    result = run("--student", folder, "--summary", "-", records=EIGHT)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "name a file" in result.stderr


def test_a_failed_run_leaves_no_summary_and_no_output(
    opened: list[Any], folder: Path, tmp_path: Path
) -> None:
    out, file = tmp_path / "out.jsonl", tmp_path / "figures.json"
    text = lines(*EIGHT) + "[]\n"
    args = ("--student", folder, "--summary", file, "-o", out, "--batch-size", 2)
    assert run(*args, text=text).exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["svamp"]


def test_records_without_gold_are_answered_and_accuracy_is_undefined(
    opened: list[Any], folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "figures.json"
    records = [{"id": "1", "input": "1 + 1", "task": "equation"}]
    result = run("--student", folder, "--summary", file, records=records)
    assert parsed(result)[0]["student"]["label"] == "1 + 1"
    accuracy = json.loads(file.read_text())["label"]["accuracy"]
    assert (accuracy["status"], accuracy["reason"]) == ("undefined", "no record has a gold label")
    assert "no record has a gold label" in result.stderr


def test_choices_are_scored_and_decoded_on_request(opened: list[Any], folder: Path) -> None:
    records = [{"id": "1", "input": "b", "label": "a", "choices": ["a", "b", "a"]}]
    (found,) = parsed(run("--student", folder, "--decode", records=records))
    assert found["student"]["choices"] == {"a": 0.731059, "b": 0.268941}
    assert found["student"]["decoded"] == "b"
    assert found["scores"]["decode_agrees"] is False


def test_no_rationales_asks_for_none(opened: list[Any], folder: Path) -> None:
    found = parsed(run("--student", folder, "--no-rationales", records=EIGHT))
    assert all("rationale" not in record["student"] for record in found)


def test_a_temperature_is_fitted_on_valid_and_shown(opened: list[Any], folder: Path) -> None:
    records = [equation(n, split=("valid", "test")[n % 3 > 0]) for n in range(24)]
    result = run("--student", folder, "--temperature", records=records)
    assert [record["id"] for record in parsed(result)] == [str(n) for n in range(24)]
    rows = [line.split() for line in result.stderr.splitlines()]
    assert ["fitted", "temperature", "2.050", "8"] in rows
    assert any(row[:3] == ["NLL", "after", "scaling"] and row[-2] == "before" for row in rows)


@pytest.mark.parametrize("part", ["valid", "all"])
def test_a_temperature_is_not_judged_where_it_was_fitted(
    opened: list[Any], folder: Path, part: str
) -> None:
    result = run("--student", folder, "--temperature", "--split", part, records=EIGHT)
    assert (result.exit_code, opened) == (2, [])
    assert result.stderr.startswith("mitools eval: --temperature is fitted on the valid split")


def test_rationales_are_simulated_and_the_seed_repeats_it(
    opened: list[Any], folder: Path, tmp_path: Path
) -> None:
    records = []
    for number in range(60):
        said = {"label": str(number % 2 * number), "rationale": f"It is {number % 2 * number}."}
        record = {**equation(number), "input": f"0 and {number}", "label": str(number)}
        records.append({**record, "student": said})
    file = tmp_path / "figures.json"
    first = run("--summary", file, "--permutations", 2, records=records)
    once = json.loads(file.read_text())
    assert first.exit_code == 0, first.stderr
    assert once["association"]["cvi_net"]["permutations"] == 2
    assert "CVI beyond gold (bits)" in first.stderr
    run("--summary", file, "--permutations", 2, text=first.stdout)
    assert json.loads(file.read_text()) == once
    none = run("--simulator", "none", "--summary", file, records=records)
    assert none.stdout == first.stdout
    assert json.loads(file.read_text())["association"]["cvi_net"]["status"] == "skipped"


def judged(path: Path, labels: str, start: int = 0) -> Path:
    """Write a run's records: those of gold 2 whose answers are these digits."""
    records = [
        {"id": str(n), "input": "x", "label": "2", "task": "equation", "student": {"label": label}}
        for n, label in enumerate(labels, start)
    ]
    path.write_text(lines(*records))
    return path


def test_a_comparison_shows_difference_test_and_what_could_be_found(
    opened: list[Any], tmp_path: Path
) -> None:
    ours, theirs = judged(tmp_path / "a", "22222223"), judged(tmp_path / "b", "22333333")
    file = tmp_path / "figures.json"
    result = run(ours, "--compare", theirs, "--summary", file)
    assert result.exit_code == 0, result.stderr
    assert len(parsed(result)) == 8
    rows = [line.split() for line in result.stderr.splitlines()]
    (row,) = [row for row in rows if row[:3] == ["accuracy", "25.0", "87.5"]]
    assert row[3] == "+62.5"
    assert "mitools eval: accuracy: the two differ on 5 items only" in result.stderr
    found = json.loads(file.read_text())
    assert found["label"]["accuracy"]["value"] == 0.875
    accuracy = found["comparison"]["metrics"]["accuracy"]
    assert (accuracy["value"], accuracy["p_value"]) == (0.625, 0.0625)
    assert accuracy["test"] == "McNemar, exact"
    assert found["comparison"]["metrics"]["brier"]["status"] == "undefined"


def test_runs_of_several_seeds_are_summarized_together(opened: list[Any], tmp_path: Path) -> None:
    runs = [judged(tmp_path / name, answers) for name, answers in (("a", "2223"), ("b", "2333"))]
    file = tmp_path / "figures.json"
    result = run("--seeds", *runs, "--summary", file)
    assert result.exit_code == 0, result.stderr
    assert len(parsed(result)) == 8
    assert "mitools eval: 2 runs" in result.stderr
    assert "75.0, 25.0" in result.stderr
    found = json.loads(file.read_text())
    assert found["seeds"]["accuracy"]["by_run"] == [0.75, 0.25]
    assert [one["label"]["accuracy"]["value"] for one in found["runs"]] == [0.75, 0.25]
    both = run("--seeds", *runs, "--compare", runs[0], "--compare", runs[1])
    assert "compared with the baseline on 4 records" in both.stderr


def test_merged_shards_give_the_figures_of_the_whole(opened: list[Any], tmp_path: Path) -> None:
    whole, merged = tmp_path / "whole.json", tmp_path / "merged.json"
    shards = [judged(tmp_path / "1", "2232"), judged(tmp_path / "2", "3332", start=4)]
    run("--summary", whole, text="".join(shard.read_text() for shard in shards))
    result = run("--merge", *reversed(shards), "--summary", merged)
    assert result.exit_code == 0, result.stderr
    assert merged.read_text() == whole.read_text()


def test_a_shard_that_is_merged_twice_is_an_error(opened: list[Any], tmp_path: Path) -> None:
    shard = judged(tmp_path / "1", "22")
    result = run("--merge", shard, shard, "-o", tmp_path / "out.jsonl")
    assert result.exit_code == 1
    assert result.stderr == (
        f'mitools eval: {shard}:1: id "0" comes twice; '
        "give each shard once, and shards of one split\n"
    )
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--seeds", "a", "b", "--student", "s"), "--seeds needs records that hold answers"),
        (("--merge", "a", "--student", "s"), "--merge needs records that hold answers"),
        (("--seeds", "a"), "--seeds needs two runs or more"),
        (("--probe", "cue", "a"), "--probe needs a student"),
        (("--probe", "cue", "--no-rationales", "--student", "s"), "--probe needs rationales"),
        (("--judge-records", "5", "a"), "--judge-records needs --judge"),
        (("--judge-url", "http://x/v1", "a"), "--judge-url needs --judge"),
        (("--probe-records", "5", "a"), "--probe-records needs --probe"),
        (("--decode", "a"), "--decode needs --student"),
        (("--batch-size", "8", "a"), "--batch-size needs --student"),
        (("--tokens-per-batch", "99", "a"), "--tokens-per-batch needs --student"),
        (("--student-price", "3", "a"), "--student-price needs --student"),
        (("--seeds", "--merge", "a", "b"), "--seeds and --merge exclude each other"),
        (("a", "--compare", "-"), "a baseline cannot come from stdin"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    opened: list[Any], args: tuple[str, ...], message: str
) -> None:
    result = run(*args)
    assert (result.exit_code, result.stdout, opened) == (2, "", [])
    assert result.stderr.startswith(f"mitools eval: {message}; ")


def test_a_baseline_of_other_records_is_an_error(opened: list[Any], tmp_path: Path) -> None:
    ours, theirs = judged(tmp_path / "a", "22"), judged(tmp_path / "b", "22", start=9)
    result = run(ours, "--compare", theirs)
    assert result.exit_code == 1
    assert "their ids have nothing in common; compare runs on the same records" in result.stderr


def test_a_baseline_without_answers_is_named(opened: list[Any], tmp_path: Path) -> None:
    theirs = tmp_path / "b"
    theirs.write_text(lines(*EIGHT))
    result = run(judged(tmp_path / "a", "22"), "--compare", theirs)
    assert (result.exit_code, result.stdout) == (1, "")
    assert 'field "student" is missing' in result.stderr
    assert (
        f'write its answers first: "mitools eval --student DIR {theirs} -o FILE"' in result.stderr
    )


def test_the_task_can_be_overridden(opened: list[Any], folder: Path) -> None:
    records = [{**equation(1), "label": "2"}]
    assert parsed(run("--student", folder, records=records))[0]["scores"]["correct"] is True
    (found,) = parsed(run("--student", folder, "--task", "text", records=records))
    assert found["scores"]["correct"] is False


def test_device_token_budget_and_precision_reach_the_student(
    opened: list[Any], folder: Path
) -> None:
    args = ("--device", "cpu", "--tokens-per-batch", 99, "--precision", "bf16")
    run("--student", folder, *args, records=EIGHT)
    assert opened == [(folder, "cpu", {"tokens_per_batch": 99, "precision": "bf16"})]


def test_repeated_ids_are_warned_of(opened: list[Any], folder: Path) -> None:
    result = run("--student", folder, records=[EIGHT[1], EIGHT[1]])
    assert len(parsed(result)) == 2
    assert 'warning: 1 record with an id seen before (such as "1"); all count' in result.stderr


def test_unknown_fields_and_unicode_pass(opened: list[Any], folder: Path) -> None:
    (found,) = parsed(run("--student", folder, records=[equation(1, mine={"ключ": ["𝄞"]})]))
    assert found["mine"] == {"ключ": ["𝄞"]}


def test_the_help_ends_in_an_example_and_imports_no_model_code() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "mitools eval --student runs/svamp records.jsonl" in result.stdout


def test_probes_are_run_on_request_and_shown(
    opened: list[Any], folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "figures.json"
    asked = ("--probe", "cue", "--probe", "robustness", "--probe-records", 3)
    result = run("--student", folder, *asked, "--summary", file, records=EIGHT)
    assert result.exit_code == 0, result.stderr
    assert len(parsed(result)) == 8
    found = json.loads(file.read_text())["probes"]
    assert (found["cue"]["followed"]["value"], found["cue"]["followed"]["n"]) == (0, 3)
    assert found["robustness"]["accuracy_drop"]["status"] == "not_applicable"
    assert found["counterfactual"]["mentioned"]["status"] == "skipped"
    rows = [line.split() for line in result.stderr.splitlines()]
    assert ["suggested", "answers", "followed", "0.0%", "0.0", "to", "56.1", "3"] in rows
    again = run(text=result.stdout)
    assert again.stdout == result.stdout


def test_a_rationale_is_edited_where_the_label_is_decoded_behind_it(
    opened: list[Any], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer_last(
        self: Student, inputs: Sequence[str], rationales: Sequence[str] | None = None
    ) -> list[Generation]:
        told = rationales or [one.text for one in self.generate_rationales(inputs)]
        return [Generation(" ".join(text.split()[-3:]).rstrip(".")) for text in told]

    monkeypatch.setattr(Student, "generate_labels", answer_last)
    monkeypatch.setattr(Student, "metadata", {**Student.metadata, "order": "rationale-label"})
    file = tmp_path / "figures.json"
    result = run("--student", folder, "--probe", "editing", "--summary", file, records=EIGHT)
    assert result.exit_code == 0, result.stderr
    records = parsed(result)
    assert [record["student"]["label"] for record in records] == [f"{n} + 1" for n in range(8)]
    editing = json.loads(file.read_text())["association"]["rationale_editing"]
    assert editing["early_answering"]["value"] == 0.875
    assert editing["filler_tokens"]["value"] == 1
    assert "early answering (AOC)" in result.stderr
    run("--summary", file, text=result.stdout)
    unasked = json.loads(file.read_text())["association"]["rationale_editing"]
    assert {one["status"] for one in unasked.values()} == {"skipped"}


def test_a_student_of_labels_alone_is_not_asked_to_explain(
    opened: list[Any], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Student, "metadata", {**Student.metadata, "trained": ["label"]})
    files = tmp_path / "1.json", tmp_path / "2.json"
    result = run("--student", folder, "--summary", files[0], records=EIGHT)
    assert all("rationale" not in record["student"] for record in parsed(result))
    run("--summary", files[1], text=result.stdout)
    figures, again = (json.loads(file.read_text()) for file in files)
    for block in ("rationale", "consistency", "association", "quality"):
        figures[block].update(figures[block].pop("rationale_editing", {}))
        for name, metric in figures[block].items():
            assert metric["status"] == "not_applicable", name
    reason = "the student was trained to answer, not to explain"
    assert figures["rationale"]["empty"]["reason"] == reason
    assert figures["association"]["early_answering"]["reason"] == reason
    assert figures["association"]["cvi_net"]["reason"] == reason
    assert figures["overlap"]["teacher"]["bleu"]["reason"] == reason
    figures = json.loads(files[0].read_text())
    unlike = {"provenance": 0, "costs": 0}
    assert {**again, **unlike} == {**figures, **unlike}
    probed = run("--student", folder, "--probe", "cue", "--summary", files[0], records=EIGHT)
    assert f"warning: {reason}, so there is nothing to probe" in probed.stderr
    assert json.loads(files[0].read_text())["probes"]["cue"]["followed"]["reason"] == reason


def many(path: Path, n: int = 400) -> Path:
    """Write more than a pipe holds, already answered."""
    said = {"label": "2", "rationale": "1 + 1 = 2. " * 50}
    records = [
        {"id": str(number), "input": "1 + 1?", "label": "2", "task": "equation", "student": said}
        for number in range(n)
    ]
    path.write_text(lines(*records))
    return path


@pytest.mark.parametrize("reader", ["head -n 1", "{program} explain --limit 3"])
def test_a_summary_is_finished_where_the_reader_leaves_early(tmp_path: Path, reader: str) -> None:
    source, file = many(tmp_path / "in.jsonl"), tmp_path / "figures.json"
    program = shlex.join([sys.executable, "-m", "mitools"])
    asked = f"{program} eval --simulator none --summary {file} {source}"
    pipe = f"set -o pipefail; {asked} | {reader.format(program=program)}"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Broken pipe" not in done.stderr
    found = json.loads(file.read_text())
    assert (found["records"], found["label"]["accuracy"]["n"]) == (400, 400)
    assert "mitools eval: 400 records, task equation" in done.stderr


def test_without_a_summary_the_reader_ends_it(tmp_path: Path) -> None:
    program = shlex.join([sys.executable, "-m", "mitools"])
    pipe = f"set -o pipefail; {program} eval {many(tmp_path / 'in.jsonl')} | head -n 1"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def valid_and_test(n: int) -> list[dict[str, Any]]:
    """Make n records of each split, that the student has right."""
    return [
        {
            **equation(number),
            "id": f"{split}-{number}",
            "label": f"{number} + 1",
            "split": split,
        }
        for split in ("valid", "test")
        for number in range(n)
    ]


def test_an_operating_point_is_saved_with_the_student_and_then_used(
    opened: list[Any], folder: Path
) -> None:
    target = ("--target-accuracy", 0.9, "--risk", 0.1)
    result = run("--student", folder, *target, records=valid_and_test(30))
    assert result.exit_code == 0, result.stderr
    assert [one["scores"]["sure"] for one in parsed(result)] == [True] * 60
    point = OperatingPoint.load(folder)
    assert (point.target, point.risk, point.records, point.right) == (0.9, 0.1, 30, 30)
    plain = " ".join(result.stderr.split())
    assert "reach 0.9 accuracy with probability 0.9" in plain
    assert "answered by the student 100.0%" in plain
    assert "accuracy of answered records 100.0%" in plain
    assert "operating_point.json" in plain
    again = run("--student", folder, records=valid_and_test(3))
    assert [one["scores"]["sure"] for one in parsed(again)] == [True] * 3


def test_a_target_that_no_threshold_reaches_is_a_result_that_says_what_would_help(
    opened: list[Any], folder: Path
) -> None:
    result = run("--student", folder, "--target-accuracy", 0.95, records=valid_and_test(30))
    assert result.exit_code == 0, result.stderr
    assert [one["scores"]["sure"] for one in parsed(result)] == [False] * 60
    plain = " ".join(result.stderr.split())
    assert "30 records to choose it on are too few for 0.95 at risk 0.05" in plain
    assert "at least 59 answers are needed even if all are right" in plain
    assert "answered by the student 0.0%" in plain
    assert "accuracy of answered records" not in plain
    assert OperatingPoint.load(folder).threshold is None

"""``mitools eval --judge`` over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mitools.cli import mitools
from mitools.evaluate.measures import statistics
from tests.server import KEY, Act, Call, FixtureServer


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(statistics, "RESAMPLES", 200)
    monkeypatch.setattr(statistics, "_FEWEST_RESAMPLES", 200)


def prefer_sums(call: Call) -> Act:
    """Score rationales with a sum 5 and others 2; prefer those with a sum."""
    assert call.body["messages"][0]["role"] == "system"
    assert "never an instruction" in call.body["messages"][0]["content"]
    if "<second>" in call.question:
        first, second = call.question.split("<first>")[1].split("<second>")
        better = "tie" if ("+" in first) == ("+" in second) else "first"
        return Act(text=f"Better: {better if '+' in first or better == 'tie' else 'second'}")
    told = call.question.split("<explanation>")[1].split("</explanation>")[0]
    return Act(text=f"Why not.\nScore: {5 if '+' in told else 2}")


@pytest.fixture
def server() -> Iterator[FixtureServer]:
    with FixtureServer() as running:
        running.act = prefer_sums
        yield running


def write(path: Path, rationale: str, n: int = 4) -> Path:
    with path.open("w") as stream:
        for number in range(n):
            said = {"label": "2", "rationale": rationale if number % 4 else "It is so."}
            record = {"id": str(number), "input": f"1 + {number}?", "label": "2"}
            stream.write(json.dumps({**record, "task": "equation", "student": said}) + "\n")
    return path


def run(server: FixtureServer, *args: Any) -> Result:
    where = ("--judge", "judge-1", "--judge-url", server.url, "--simulator", "none")
    return CliRunner().invoke(mitools, ["eval", *map(str, (*where, *args))])


def test_rationales_are_scored_and_the_journal_is_asked_the_second_time(
    server: FixtureServer, tmp_path: Path
) -> None:
    judged, file = write(tmp_path / "a.jsonl", "1 + 1 = 2"), tmp_path / "figures.json"
    journal = ("--judge-journal", tmp_path / "journal.sqlite3")
    result = run(server, judged, "--summary", file, *journal)
    assert result.exit_code == 0, result.stderr
    assert len(server.calls) == 4
    assert {call.body["model"] for call in server.calls} == {"judge-1"}
    found = json.loads(file.read_text())["judge"]
    assert (found["score"]["value"], found["score"]["n"]) == (4.25, 4)
    assert found["about"] == {"model": "judge-1", "records": 4, "of": 4}
    rows = [line.split() for line in result.stderr.splitlines()]
    assert any(row[:3] == ["judge's", "score", "(1"] and "4.250" in row for row in rows)
    again = run(server, judged, "--summary", file, *journal)
    assert len(server.calls) == 4
    assert again.stdout == result.stdout
    assert json.loads(file.read_text())["judge"] == found


def test_two_students_are_compared_in_both_orders(server: FixtureServer, tmp_path: Path) -> None:
    ours, theirs = write(tmp_path / "a.jsonl", "1 + 1 = 2"), write(tmp_path / "b.jsonl", "Just so.")
    file = tmp_path / "figures.json"
    result = run(server, ours, "--compare", theirs, "--summary", file)
    assert result.exit_code == 0, result.stderr
    found = json.loads(file.read_text())["judge"]
    assert found["win_rate"]["value"] == 0.875  # three are won, one is the same in both
    assert (found["win_rate"]["same_rationale"], len(server.calls)) == (1, 6)
    assert found["order_agreement"]["value"] == 1
    assert "judge prefers this student" in result.stderr


def test_records_of_one_run_only_do_not_take_the_place_of_pairs(
    server: FixtureServer, tmp_path: Path
) -> None:
    ours, theirs = write(tmp_path / "a", "1 + 1 = 2", n=4), write(tmp_path / "b", "Just so.", n=60)
    file = tmp_path / "figures.json"
    result = run(server, ours, "--compare", theirs, "--judge-records", 3, "--summary", file)
    assert result.exit_code == 0, result.stderr
    found = json.loads(file.read_text())["judge"]
    assert (found["win_rate"]["n"], found["about"]["records"]) == (3, 3)


def test_no_more_records_are_shown_than_allowed(server: FixtureServer, tmp_path: Path) -> None:
    judged = write(tmp_path / "a.jsonl", "1 + 1 = 2", n=9)
    first, second = ([], [])
    for asked in (first, second):
        server.calls.clear()
        result = run(server, judged, "--judge-records", 3, "--judge-journal", tmp_path / "j")
        assert result.exit_code == 0, result.stderr
        asked += [call.question for call in server.calls]
        (tmp_path / "j").unlink()
    assert len(first) == 3
    assert sorted(first) == sorted(second)


def test_replies_that_fail_are_counted_and_warned_of(server: FixtureServer, tmp_path: Path) -> None:
    server.act = lambda call: Act(text="Score: 3") if "1 + 1?" in call.question else Act(text="")
    file = tmp_path / "figures.json"
    result = run(server, write(tmp_path / "a.jsonl", "x"), "--summary", file)
    assert result.exit_code == 0, result.stderr
    found = json.loads(file.read_text())["judge"]
    assert (found["readable"]["value"], found["score"]["n"]) == (0.25, 1)


def test_a_refused_key_costs_only_the_figures_of_the_judge(
    server: FixtureServer, tmp_path: Path
) -> None:
    server.act = lambda _call: Act(status=401, code="invalid_api_key")
    file, out = tmp_path / "figures.json", tmp_path / "judged.jsonl"
    result = run(server, write(tmp_path / "a.jsonl", "x"), "--summary", file, "-o", out)
    assert result.exit_code == 5
    assert KEY not in result.stderr
    assert len(out.read_text().splitlines()) == 4
    found = json.loads(file.read_text())
    assert found["label"]["accuracy"]["value"] == 1
    assert found["judge"]["score"]["reason"] == "asking the judge failed"
    assert "401" in result.stderr.splitlines()[-1]


def test_a_missing_key_is_noticed_before_any_record_is_read(
    server: FixtureServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    args = ["eval", "--judge", "judge-1", "-", "--summary", str(tmp_path / "f.json")]
    result = CliRunner().invoke(mitools, args, input="not even JSON\n")
    assert result.exit_code == 5
    assert "OPENAI_API_KEY" in result.stderr
    assert server.calls == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--seeds", "a", "b"), "--judge compares at most two runs"),
        (("a", "--compare", "b", "--compare", "c"), "--judge compares at most two runs"),
        (("a", "--no-rationales"), "--judge needs rationales"),
    ],
)
def test_what_a_judge_cannot_do_is_refused(
    server: FixtureServer, args: tuple[str, ...], message: str
) -> None:
    result = run(server, *args)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"mitools eval: {message}; ")


def test_rationales_are_compared_by_an_encoder_that_is_loaded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Any] = []

    class Encoder:
        def __init__(self, spec: str, device: str | None) -> None:
            loaded.append((spec, device))
            self.name, self.folder = spec, tmp_path

        def similarities(self, texts: Sequence[str], references: Sequence[str]) -> list[float]:
            return [
                float(text == reference) for text, reference in zip(texts, references, strict=True)
            ]

    monkeypatch.setattr("mitools.student.sentence_encoder.SentenceEncoder", Encoder)
    judged, file = write(tmp_path / "a.jsonl", "1 + 1 = 2"), tmp_path / "figures.json"
    taught = [
        {**json.loads(line), "teacher": {"label": "2", "rationale": "It is so.", "agrees": True}}
        for line in judged.read_text().splitlines()
    ]
    judged.write_text("".join(json.dumps(record) + "\n" for record in taught))
    args = ["eval", str(judged), "--embedding", "here", "--device", "cpu", "--summary", str(file)]
    result = CliRunner().invoke(mitools, [*args, "--simulator", "none"])
    assert result.exit_code == 0, result.stderr
    assert loaded == [("here", "cpu")]
    found = json.loads(file.read_text())["overlap"]
    assert (found["teacher"]["embedding"]["value"], found["teacher"]["embedding"]["n"]) == (0.25, 4)
    assert found["teacher_correct"]["embedding"]["encoder"].startswith("here@")
    assert "embedding cosine with teacher" in result.stderr


def test_a_wrong_encoder_is_noticed_before_any_record_is_read(tmp_path: Path) -> None:
    args = ["eval", "--embedding", str(tmp_path), "-"]
    result = CliRunner().invoke(mitools, args, input="not even JSON\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is not a sentence encoder" in result.stderr

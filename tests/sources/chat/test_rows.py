"""Chat logs through the command: what is recognized, reported, refused, and read again."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mitools.cli import mitools
from mitools.errors import DataError, SourceError
from mitools.sources.chat.requests import Requests
from mitools.sources.load_records import load_records
from mitools.sources.options import LoadOptions


def told(question: Any, answer: Any, **more: Any) -> dict[str, Any]:
    messages = [
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
    ]
    return {"messages": messages, **more}


LOG = [
    told("My card was charged twice.", "A charge is about money. The answer is billing."),
    told("Where is my parcel?", "<think>A parcel is sent.</think>delivery", model="m", id="a"),
]
LABELS = ("--labels", "billing,delivery")


def write(path: Path, rows: list[Any]) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(tmp_path / "log.jsonl", LOG)


def run(*args: str | Path, stage: str = "load", stdin: str = "") -> Result:
    return CliRunner().invoke(mitools, [stage, *map(str, args)], input=stdin)


def records(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_log_is_recognized_and_says_so(log: Path) -> None:
    result = run(log, *LABELS)
    first, second = records(result)
    assert (first["input"], first["teacher"]["label"]) == (
        "My card was charged twice.",
        "billing",
    )
    assert second["teacher"] == {
        "label": "delivery",
        "rationale": "A parcel is sent.",
        "agrees": None,
        "read_by": "line",
        "model": "m",
        "source": f"{log}:2",
    }
    assert second["id"] == "a"
    assert "label" not in first
    assert f"{log}: messages (OpenAI); the last message of the user becomes input" in result.stderr
    assert "2 of 2 answers have a label (1 by cue, 1 by line)" in result.stderr


def test_the_preset_and_python_give_the_same(log: Path) -> None:
    plain = records(run(log, *LABELS))
    assert records(run(log, *LABELS, "--preset", "chat")) == plain
    options = LoadOptions(labels=("billing", "delivery"), preset="chat")
    assert list(load_records(log, options)) == plain
    by_stdin = records(run(*LABELS, stdin=log.read_text()))
    assert [record["teacher"]["source"] for record in by_stdin] == ["<stdin>:1", "<stdin>:2"]


def test_a_mapped_input_leaves_the_file_as_it_is(log: Path) -> None:
    result = run(log, "--map", "input=messages.0.content")
    assert "teacher" not in records(result)[0]
    assert "messages (OpenAI)" not in result.stderr


def test_with_the_preset_a_template_may_use_the_question(log: Path) -> None:
    spec = "input={{ input | before('was') }}"
    first, _ = records(run(log, "--preset", "chat", "--map", spec, *LABELS))
    assert first["input"] == "My card"


def test_gold_is_taken_where_a_field_is_named(tmp_path: Path) -> None:
    rows = [told("a?", "billing", kind="billing"), told("b?", "billing", kind="delivery")]
    log = write(tmp_path / "log.jsonl", rows)
    result = run(log, *LABELS, "--map", "label=kind")
    assert [record["teacher"]["agrees"] for record in records(result)] == [True, False]
    assert "labels that agree with gold: 1 of 2 (50.0%)" in result.stderr


def test_records_of_an_earlier_run_pass_unchanged(log: Path, tmp_path: Path) -> None:
    loaded = tmp_path / "loaded.jsonl"
    assert run(log, *LABELS, "-o", loaded).exit_code == 0
    result = run(loaded)
    assert result.stdout == loaded.read_text()
    extra = write(tmp_path / "extra.jsonl", [{"input": "a?", **told("b?", "B")}])
    assert records(run(extra))[0]["input"] == "a?"


def test_annotate_reads_the_raw_answers_again(log: Path, tmp_path: Path) -> None:
    loaded = tmp_path / "loaded.jsonl"
    assert run(log, *LABELS, "-o", loaded).exit_code == 0
    again = run(loaded, "--teacher", "replay", stage="annotate")
    first = map(json.loads, loaded.read_text().splitlines())
    for one, other in zip(records(again), first, strict=True):
        for name in ("label", "rationale", "read_by"):
            assert one["teacher"][name] == other["teacher"][name]


BAD = [
    "not json",
    {"messages": []},
    told([{"type": "image_url"}], "billing"),
    {"messages": [{"role": "user", "content": "a?"}]},
    {"messages": {"role": "user"}},
    {"text": "another form"},
    told(3, "billing"),
    [1, 2],
    '{"messages": ' + "[" * 500 + "]" * 500 + "}",
]


@pytest.mark.parametrize("bad", BAD)
def test_a_row_that_cannot_be_used_is_named_or_skipped(bad: Any, tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", [LOG[0], bad, LOG[1]])
    stopped = run(log, *LABELS)
    assert stopped.exit_code == 1
    assert f"mitools load: {log}:2: " in stopped.stderr
    diverted = tmp_path / "bad.jsonl"
    went_on = run(log, *LABELS, "--on-error", f"divert:{diverted}")
    assert len(records(went_on)) == 2
    assert len(diverted.read_text().splitlines()) == 1


def test_a_preset_refuses_what_is_not_a_chat(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", [{"question": "a", "answer": "b"}])
    result = run(log, "--preset", "chat")
    assert f"{log}:1: no form of a chat log fits the fields question, answer" in result.stderr
    assert "--map input=question" in run(log).stderr


def test_turns_and_context_are_told_and_can_be_asked_for(tmp_path: Path) -> None:
    messages = [
        {"role": "system", "content": "Sort it."},
        *told("a?", "billing")["messages"],
        *told("b?", "delivery")["messages"],
    ]
    log = write(tmp_path / "log.jsonl", [{"messages": messages}])
    plain = run(log, *LABELS)
    assert [record["input"] for record in records(plain)] == ["b?"]
    assert "1 record has earlier turns, which are kept in context and are not" in plain.stderr
    assert '"--context turns"' in plain.stderr
    assert '"--context all"' in plain.stderr
    both = run(log, *LABELS, "--turns", "all", "--context", "turns")
    inputs = [record["input"] for record in records(both)]
    assert inputs == ["a?", "User: a?\nAssistant: billing\nUser: b?"]
    assert "--context turns" not in both.stderr


def test_gold_of_a_conversation_is_that_of_its_last_question(tmp_path: Path) -> None:
    messages = [*told("2 + 2?", "So 4.")["messages"], *told("3 + 3?", "So 6.")["messages"]]
    row = {"messages": messages, "gold": "6", "rationale": "3 and 3 make 6"}
    log = write(tmp_path / "log.jsonl", [row])
    result = run(log, "--map", "label=gold", "--task", "equation", "--turns", "all")
    first, last = records(result)
    assert (first["label"], last["label"]) == (None, "6")
    assert ("rationale" in first, "rationale" in last) == (False, True)
    assert (first["teacher"]["agrees"], last["teacher"]["agrees"]) == (None, True)
    assert "1 record has no gold label: that of a conversation is" in result.stderr
    alone = run(log, "--map", "label=gold", "--task", "equation")
    assert [record["label"] for record in records(alone)] == ["6"]
    assert "no gold label" not in alone.stderr


def test_a_field_that_a_log_was_made_of_cannot_be_mapped_and_what_can_is_told(
    tmp_path: Path,
) -> None:
    rows = [{"instruction": "Sort it.", "input": "a?", "output": "billing"}]
    log = write(tmp_path / "log.jsonl", rows)
    result = run(log, *LABELS, "--map", "label=output")
    assert result.exit_code == 1
    assert 'read as a chat log, which makes "input" and "completion" of it' in result.stderr
    assert '"--map label=completion"' in result.stderr
    mapped = run(log, *LABELS, "--map", "label=completion")
    assert [record["label"] for record in records(mapped)] == ["billing"]


def test_answers_without_a_label_are_counted_with_what_to_type(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", [told("a?", "Let me think about it."), LOG[1]])
    result = run(log, "--task", "equation")
    assert records(result)[0]["teacher"]["error"]["kind"] == "unreadable"
    assert "2 of 2 answers have no label (2 unreadable); say how labels are" in result.stderr


def test_long_rationales_are_cut_and_counted(tmp_path: Path) -> None:
    long = "We read. " + "We wait for a long time. " * 30 + "Add it. The answer is 5."
    log = write(tmp_path / "log.jsonl", [told("2 + 3?", long), told("a?", "It is so. So 5.")])
    result = run(log, "--task", "equation", "--max-rationale-words", "9")
    assert records(result)[0]["teacher"]["rationale"] == "We read. Add it."
    assert "1 of 2 rationales were cut (" in result.stderr
    assert "words kept)" in result.stderr


JUNK: list[Any] = [
    None,
    True,
    -1,
    "",
    "<think>" * 9,
    [],
    {},
    [{"from": []}],
    {"content": 5},
    "\ud800",
]


def mutated(value: Any, rng: random.Random) -> Any:
    if rng.random() < 0.15:
        return rng.choice(JUNK)
    if isinstance(value, dict):
        return {name: mutated(inner, rng) for name, inner in value.items()}
    return [mutated(inner, rng) for inner in value] if isinstance(value, list) else value


def test_damaged_rows_are_records_or_errors_with_their_place(tmp_path: Path) -> None:
    rng = random.Random(5)
    shared = {"id": 3, "conversations": [{"from": "human", "value": "a?"}, {"from": "gpt"}]}
    sampled = {"problem": "a?", "answer": "5", "generations": ["5", "6"], "finish_reasons": ["x"]}
    served = {"messages": told("a?", "5")["messages"][:1], "response": RESPONSE["response"]}
    rows = [told("a?", [{"type": "text", "text": "So 5."}]), shared, sampled, served]
    damaged = [
        {name: mutated(value, rng) for name, value in rng.choice(rows).items()} for _ in range(600)
    ]
    log = write(tmp_path / "log.jsonl", [LOG[0], *damaged])
    result = run(log, "--task", "equation", "--on-error", "skip")
    found = records(result)
    skipped = [line for line in result.stderr.splitlines() if "warning: skipped: " in line]
    assert len(found) + len(skipped) == 601
    assert len(skipped) > 100
    assert len(found) > 100
    for line in skipped:
        assert f"skipped: {log}:" in line
        assert "cannot be processed" not in line


REQUEST = {"custom_id": "r1", "body": {"messages": [{"role": "user", "content": "2 + 3?"}]}}
RESPONSE = {
    "custom_id": "r1",
    "response": {"status_code": 200, "body": {"choices": [{"message": {"content": "So 5."}}]}},
    "error": None,
}


def test_a_batch_takes_its_questions_from_the_requests(tmp_path: Path) -> None:
    requests = write(tmp_path / "requests.jsonl", [REQUEST])
    lost = {**RESPONSE, "custom_id": "r2"}
    responses = write(tmp_path / "responses.jsonl", [RESPONSE, lost])
    alone = run(responses, "--task", "equation")
    assert 'without its question; name the file that was sent: "--requests FILE"' in alone.stderr
    options = ("--task", "equation", "--requests", requests, "--on-error", "skip")
    result = run(responses, *options)
    [record] = records(result)
    assert (record["id"], record["input"], record["teacher"]["label"]) == ("r1", "2 + 3?", "5")
    assert "the file of requests has no such custom_id" in result.stderr


def test_requests_are_checked(tmp_path: Path) -> None:
    twice = write(tmp_path / "twice.jsonl", [REQUEST, REQUEST])
    with pytest.raises(SourceError, match="two requests with the same custom_id"):
        Requests(str(twice)).close()
    without = write(tmp_path / "without.jsonl", [{"body": {}}])
    with pytest.raises(DataError, match='field "custom_id" is missing'):
        Requests(str(without)).close()

"""The command as a user runs it: streams, signals, kills, messages and exit status."""

from __future__ import annotations

import json
import os
import random
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from mitools.annotate.interrupt import stopping_on_interrupt
from mitools.cli import mitools
from mitools.interrupts import TOGETHER_SECONDS
from mitools.records import Record
from tests.annotate.conftest import sums
from tests.server import Act, Call, FixtureServer

COMMAND = [sys.executable, "-m", "mitools", "annotate"]


def lines(records: Sequence[Record]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def start(server: FixtureServer | None, *arguments: str | Path) -> subprocess.Popen[bytes]:
    endpoint = ["-m", "fixture", "--base-url", server.url] if server else []
    return subprocess.Popen(
        [*COMMAND, *endpoint, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )


def run(
    server: FixtureServer | None, text: str, *arguments: str | Path
) -> tuple[int, list[Record], str]:
    """Run it in this process, which saves Python's start."""
    endpoint = ["-m", "fixture", "--base-url", server.url] if server else []
    done = CliRunner().invoke(
        mitools, ["annotate", *endpoint, *map(str, arguments)], input=text.encode()
    )
    return done.exit_code, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def ended(process: subprocess.Popen[bytes]) -> bool:
    """Fail where a process that should be at work has come to an end."""
    if process.poll() is not None:
        assert process.stderr is not None
        raise AssertionError(process.stderr.read().decode())
    return False


def wait_until(condition: object) -> None:
    deadline = time.monotonic() + 20
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_run_says_what_happened(server: FixtureServer) -> None:
    server.act = lambda call: Act(text="No idea.") if "11" in call.question else Act()
    status, records, err = run(server, lines(sums(4)))
    assert status == 0
    assert [bool(record["teacher"]["label"]) for record in records] == [True, False, True, True]
    assert err.splitlines() == [
        "mitools annotate: 4 rows = 3 answered + 0 rejected + 1 failed (1 unreadable)",
        "mitools annotate: 3 of 3 agree with gold (100.0%); read: 3 by cue; "
        "50 prompt and 25 completion tokens",
        "mitools annotate: unreadable: record r1: no answer can be read: No idea.",
    ]
    status, again, err = run(server, lines(sums(4)), "--concurrency", "3", "--retries", "1")
    assert again == records
    assert "; 5 of 5 completions from the journal\n" in err
    assert len(server.calls) == 5


def test_a_trial_of_the_first_records_is_not_asked_again(server: FixtureServer) -> None:
    status, first, err = run(server, lines(sums(9)), "--limit", "4")
    assert (status, len(server.calls)) == (0, 4)
    assert [record["id"] for record in first] == [record["id"] for record in sums(4)]
    assert err.splitlines()[0].startswith("mitools annotate: 4 rows = 4 answered")
    assert err.splitlines()[-1] == (
        "mitools annotate: read the first 4 records only (--limit); for all, leave --limit out: "
        "these answers are taken from the journal"
    )
    status, everything, err = run(server, lines(sums(9)))
    assert (status, len(server.calls)) == (0, 9)
    assert everything[:4] == first
    assert "--limit" not in err
    assert run(server, lines(sums(3)), "--limit", "4")[2].count("--limit") == 0


def test_a_trial_reads_no_more_than_its_records(server: FixtureServer) -> None:
    status, records, err = run(server, lines(sums(2)) + "not JSON\n", "--limit", "2")
    assert (status, len(records)) == (0, 2), err


def test_a_trial_can_be_a_batch(server: FixtureServer, tmp_path: Path) -> None:
    requests = tmp_path / "requests.jsonl"
    status, _, err = run(server, lines(sums(9)), "--limit", "4", "--emit-batch", requests)
    assert (status, len(requests.read_text().splitlines())) == (0, 4), err


def test_a_teacher_whose_first_answers_cannot_be_read_is_given_up(
    server: FixtureServer, tmp_path: Path
) -> None:
    server.act = lambda _call: Act(text="I would rather talk about the weather.")
    journal = ("--journal", tmp_path / "journal")
    status, records, err = run(server, lines(sums(200)), "--concurrency", "2", *journal)
    assert status == 1
    asked = len(server.calls)
    assert 20 <= len(records) <= asked < 60
    assert re.search(
        r"none of the first [2-5]\d replies holds an answer \([2-5]\d unreadable\)", err
    )
    assert '"--max-error-rate 1"' in err
    assert f"prompt, user: {sums(1)[0]['input']}" in err
    assert err.count("rather talk about the weather.") == 3
    status, records, err = run(
        server, lines(sums(200)), "--max-error-rate", "1", *journal, "--retries", "0"
    )
    assert len(records) == 200
    assert f"{asked:,} of " in err  # nothing was lost: they came from the journal


def test_one_answer_that_can_be_read_keeps_a_teacher(server: FixtureServer) -> None:
    server.act = lambda call: Act() if "11" in call.question else Act(text="No idea.")
    status, records, _ = run(server, lines(sums(40)), "--concurrency", "1")
    assert (status, len(records)) == (0, 40)


def test_the_task_labels_without_its_labels_is_refused_before_anything_is_asked(
    server: FixtureServer, tmp_path: Path
) -> None:
    rows = lines(sums(3))
    for options in ((), ("--dry-run",), ("--emit-batch", tmp_path / "batch.jsonl")):
        status, _, err = run(server, rows, "--task", "labels", *options)
        assert status == 1
        assert '"mitools load --labels A,B,C"' in err
        assert server.calls == []
    named = lines([{**record, "choices": ["1", "2"]} for record in sums(3)])
    status, *_ = run(server, named, "--task", "labels", "--max-error-rate", "1")
    assert server.calls


def test_gold_that_the_task_cannot_read_is_counted(server: FixtureServer) -> None:
    first, second = sums(2)
    status, _, err = run(server, lines([first, {**second, "label": "#### 12 pears"}]))
    assert status == 0
    assert "warning: 1 of 2 gold labels cannot be read by the task equation" in err


def test_a_row_is_answered_while_stdin_stays_open(server: FixtureServer) -> None:
    server.default = Act(delay=0.1)
    with start(server) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(lines(sums(1)).encode())
        process.stdout.readline()  # Python has started
        for record in sums(3)[1:]:
            begin = time.monotonic()
            process.stdin.write(lines([record]).encode())
            assert json.loads(process.stdout.readline())["id"] == record["id"]
            assert time.monotonic() - begin < 0.35
        process.stdin.close()
        assert process.wait(10) == 0


def test_a_closed_downstream_ends_it_quietly_and_soon(server: FixtureServer) -> None:
    server.default = Act(delay=0.05)
    with start(server, "--concurrency", "4") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(lines(sums(300)).encode())  # and stays open
        for _ in range(5):
            process.stdout.readline()
        process.stdout.close()
        closed = time.monotonic()
        assert process.wait(10) == 0
        assert time.monotonic() - closed < 2
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert len(server.calls) <= 5 + 4 * 4 + 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_drains_what_is_under_way(
    number: signal.Signals, server: FixtureServer, tmp_path: Path
) -> None:
    server.default = Act(delay=0.5)
    with start(server, "--concurrency", "3", "--journal", tmp_path / "j") as process:
        assert process.stdin is not None
        process.stdin.write(lines(sums(100)).encode())  # and stays open
        wait_until(lambda: len(server.calls) == 3)
        process.send_signal(number)
        assert process.stdout is not None
        assert process.stderr is not None
        out, err = process.stdout.read(), process.stderr.read().decode()
        assert process.wait(10) == 130
    assert len(server.calls) == 3
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["r0", "r1", "r2"]
    assert "3 answered" in err
    again = "interrupted; run the same command again; answers are kept in"
    assert err.endswith(f"mitools annotate: {again} {tmp_path / 'j'}\n")
    server.default = Act()
    _, records, _ = run(server, lines(sums(5)), "--journal", tmp_path / "j")
    assert len(records) == 5
    assert len(server.calls) == 5


def test_an_interrupt_keeps_the_samples_that_were_paid_for(
    server: FixtureServer, tmp_path: Path
) -> None:
    server.default = Act(delay=0.5)
    options = ("--samples", "8", "--concurrency", "3", "--journal", tmp_path / "j")
    with start(server, *options) as process:
        assert process.stdin is not None
        process.stdin.write(lines(sums(1)).encode())  # and stays open
        wait_until(lambda: len(server.calls) == 3)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        err = process.stderr.read().decode()
        assert process.wait(10) == 130
    assert f"run the same command again; answers are kept in {tmp_path / 'j'}" in err
    server.default = Act()
    _, records, _ = run(server, lines(sums(1)), *options)
    assert len(records[0]["teacher"]["samples"]) == 8
    assert len(server.calls) == 8


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_interrupt_does_not_wait(number: signal.Signals, server: FixtureServer) -> None:
    server.default = Act(hang=True)
    with start(server) as process:
        assert process.stdin is not None
        process.stdin.write(lines(sums(5)).encode())
        wait_until(lambda: len(server.calls) == 5)
        process.send_signal(number)
        time.sleep(0.3)
        process.send_signal(number)  # so soon it belongs to the first one: "timeout" sends two
        time.sleep(TOGETHER_SECONDS)
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(5) == 130
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize("kills", [4, pytest.param(50, marks=pytest.mark.slow)])
@pytest.mark.timeout(900)
def test_kills_lose_nothing_but_what_was_under_way(
    kills: int, server: FixtureServer, tmp_path: Path
) -> None:
    server.default = Act(delay=0.02)
    total = 30 * kills
    data = tmp_path / "data.jsonl"
    data.write_text(lines(sums(total)))
    journal = ("--journal", tmp_path / "j", "--concurrency", "4", data)
    chance = random.Random(kills)
    for _ in range(kills):
        with start(server, *journal, "-o", os.devnull) as process:  # a pipe would fill
            if chance.random() < 0.2:  # while it starts, opens its journal, or has just begun
                time.sleep(chance.random())
            else:
                most = len(server.calls) + chance.randint(1, 24)
                wait_until(lambda most=most, run=process: ended(run) or len(server.calls) >= most)
            process.kill()
    assert len(server.calls) < total  # there was something left to lose
    status, got, _ = run(server, "", *journal)
    assert status == 0
    assert len(server.calls) <= total + kills * 4
    _, clean, _ = run(server, "", "--no-journal", data)
    assert got == clean


def test_two_processes_share_a_journal(server: FixtureServer, tmp_path: Path) -> None:
    server.act = lambda call: Act(delay=0.01 + int(call.question[4:6]) / 2000)
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    first.write_text(lines(sums(80)))
    second.write_text(lines(sums(80)[::-1]))
    common = ("--journal", tmp_path / "j", "--concurrency", "4")
    outs = []
    with start(server, *common, first) as one, start(server, *common, second) as other:
        for process in (one, other):
            assert process.stdout is not None
            outs.append(process.stdout.read().splitlines())
            assert process.stderr is not None
            said = process.stderr.read()
            assert process.wait(20) == 0, said
    assert outs[0] == outs[1][::-1]
    by_question: dict[str, list[Call]] = {}
    for call in server.calls:
        by_question.setdefault(call.question, []).append(call)
    assert len(by_question) == 80
    for calls in by_question.values():
        earliest = min(call.done_at for call in calls)
        # Asked twice only by those who asked before the other's answer was on disk.
        assert all(call.at < earliest + 0.25 for call in calls)
    assert len(server.calls) < 160


def test_a_damaged_journal_stops_the_run(server: FixtureServer, tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(b"SQLite format 3\0" + b"\xee" * 8000)
    before = (tmp_path / "j").read_bytes()
    status, records, err = run(server, lines(sums(1)), "--journal", tmp_path / "j")
    assert (status, records) == (1, [])
    assert err.count("\n") == 1
    assert "is damaged" in err
    assert (tmp_path / "j").read_bytes() == before
    assert not server.calls


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 2, 'no teacher model; name it with "-m MODEL"'),
        (("--teacher", "gpt"), 2, "replay:FILE"),
        (("--teacher", "replay:"), 2, "replay:FILE"),
        (("--teacher", "replay:none.jsonl"), 1, "cannot read none.jsonl"),
        (("-m", "x", "--param", "temperature"), 2, "is not KEY=VALUE"),
        (("-m", "x", "--no-journal", "--offline"), 2, "leave out --no-journal"),
        (("-m", "x", "--on-failure", "ignore"), 2, "divert:FILE"),
        (("-m", "x", "--base-url", "localhost"), 1, "http://HOST:PORT/v1"),
        (("-m", "x", "--base-url", "http://127.0.0.1:1/v1"), 1, "connection refused"),
    ],
)
def test_wrong_options_are_one_line(
    arguments: tuple[str, ...], status: int, message: str, tmp_path: Path
) -> None:
    code, records, err = run(None, lines(sums(1)), *arguments)
    assert (code, records) == (status, [])
    assert message in err
    assert err.count("\n") == 1


def test_failed_records_can_be_diverted_or_fatal(server: FixtureServer, tmp_path: Path) -> None:
    server.act = lambda call: Act(status=400 if "11" in call.question else 200)
    aside = tmp_path / "aside.jsonl"
    status, records, _ = run(server, lines(sums(3)), "--on-failure", f"divert:{aside}")
    assert (status, [record["id"] for record in records]) == (0, ["r0", "r2"])
    (diverted,) = map(json.loads, aside.read_text().splitlines())
    assert diverted["teacher"]["error"]["kind"] == "bad_request"
    status, records, err = run(server, lines(sums(3)), "--on-failure", "fail")
    assert (status, [record["id"] for record in records]) == (1, ["r0"])
    assert "record 'r1' got no answer: bad_request" in err


def test_show_prompt_asks_nobody() -> None:
    arguments = ["annotate", "--show-prompt", "--system", "Be brief."]
    done = CliRunner().invoke(mitools, arguments, input=lines(sums(2)))
    assert done.exit_code == 0
    assert done.stdout == "--- system\nBe brief.\n\n--- user\nAdd 10 and 7.\n\n"


def test_a_shown_prompt_cannot_drive_a_terminal(server: FixtureServer) -> None:
    record = {**sums(1)[0], "input": "Add\x1b]0;title\x07 10\nand 7.\u202e"}
    for option in ("--show-prompt", "--dry-run"):
        arguments = ["annotate", "-m", "m", "--base-url", server.url, option]
        done = CliRunner().invoke(mitools, arguments, input=lines([record]))
        assert done.exit_code == 0
        assert "Add\\x1b]0;title\\x07 10\nand 7.\\u202e" in done.stdout
        assert "\x1b" not in done.stdout
    run(server, lines([record]))
    assert server.calls[0].question == record["input"]  # sent as it is


def test_an_error_of_the_servers_cannot_drive_a_terminal(server: FixtureServer) -> None:
    words = "bad \x1b]0;pwn\x07\x1b[2J thing\r\nsecond"
    server.default = Act(status=400, error={"error": {"message": words}})
    _, records, err = run(server, lines(sums(2)))
    message = records[0]["teacher"]["error"]["message"]
    assert message == r"400: bad \x1b]0;pwn\x07\x1b[2J thing second"
    assert "\x1b" not in err
    server.default = Act(status=401, error={"error": {"message": words}})
    _, _, err = run(server, lines(sums(2)))
    assert r"401: bad \x1b]0;pwn\x07\x1b[2J thing second" in err
    assert "\x1b" not in err


def test_a_recipe_names_files_in_its_own_folder(server: FixtureServer, tmp_path: Path) -> None:
    (tmp_path / "prompt.j2").write_text("Sum? {{ input }}")
    example = {"input": "Add 1 and 1.", "label": "1 + 1", "rationale": "One and one."}
    (tmp_path / "few.jsonl").write_text(lines([example]))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        '[annotate]\nmodel = "fixture"\ntemplate = "prompt.j2"\nexamples = "few.jsonl"\n'
        'param = ["top_p=0.5"]\nsystem = ""\n'
    )
    status, _, err = run(None, lines(sums(1)), "-c", recipe, "--base-url", server.url)
    assert status == 0, err
    body = server.calls[0].body
    assert body["top_p"] == 0.5
    assert [message["content"] for message in body["messages"]] == [
        "Sum? Add 1 and 1.",
        "One and one. The answer is (1 + 1).",
        "Sum? Add 10 and 7.",
    ]


def test_a_blocked_output_starts_no_request(server: FixtureServer, tmp_path: Path) -> None:
    records = [{**record, "padding": "x" * 40_000} for record in sums(200)]
    data = tmp_path / "data.jsonl"
    data.write_text(lines(records))
    with start(server, "--concurrency", "2", data) as process:
        assert process.stdout is not None
        wait_until(lambda: select.select([process.stdout], [], [], 0)[0])
        time.sleep(1.0)
        calls = len(server.calls)
        assert calls <= 16
        time.sleep(0.3)
        assert len(server.calls) == calls
        assert len(process.stdout.read().splitlines() if process.stdout else []) == 200
        assert process.wait(10) == 0


def test_help_needs_no_client() -> None:
    code = "import sys, mitools.cli.annotate; sys.exit('openai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, env=os.environ).returncode == 0


def test_a_recipes_model_is_not_credited_with_replayed_answers(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text('[annotate]\nmodel = "asked"\n')
    text = lines([{**sums(1)[0], "completion": "Why. The answer is (10 + 7)."}])
    arguments = ("-c", tmp_path / "recipe.toml", "--teacher", "replay")
    assert run(None, text, *arguments)[1][0]["teacher"]["model"] == "replay"
    assert run(None, text, *arguments, "-m", "palm")[1][0]["teacher"]["model"] == "palm"


def test_gold_that_cannot_be_read_is_counted_and_shown(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "input": "?", "task": "equation", "label": "So 24.\n#### 24"},
        {"id": "b", "input": "?", "task": "equation", "label": "24"},
    ]
    for row in rows:
        row["completion"] = "Take it twice. This makes 24."
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    asked = ["annotate", "--teacher", "replay", "--no-journal", str(path)]
    found = CliRunner().invoke(mitools, asked)
    assert "1 of 1 agree with gold (100.0%); read: 1 by statement" in found.stderr
    strict = CliRunner().invoke(mitools, [*asked, "--reading", "statement"])
    assert "agree with gold (100.0%); read: 2 by statement" in strict.stderr
    assert "1 of 2 gold labels cannot be read" in strict.stderr


def test_a_reader_that_an_interrupt_ends_first_does_not_hide_the_interrupt() -> None:
    stops: list[str] = []

    def write(*, is_interrupted: bool) -> None:
        with stopping_on_interrupt(lambda: stops.append("stop")):
            if is_interrupted:
                os.kill(os.getpid(), signal.SIGINT)
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        write(is_interrupted=False)
    assert stops == []
    with pytest.raises(KeyboardInterrupt):
        write(is_interrupted=True)
    assert stops == ["stop"]

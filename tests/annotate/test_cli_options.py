"""Strategies, budget, estimate and batches as a user types them: output, messages, exit status."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mitools.annotate.options import AnnotateOptions, Price
from mitools.cli import mitools
from mitools.cli.annotate import command
from tests.annotate.conftest import sums
from tests.annotate.test_cli import lines, run
from tests.server import Act, FixtureServer, complete, solve, true_usage

PRICE = Price(100_000.0, 1_000_000.0)
PRICED = ("--price", "100000,1000000", "--max-tokens", "50")


def test_star_asks_again_with_the_answer_and_says_so(server: FixtureServer) -> None:
    server.act = lambda call: Act(
        text="17 fits. The answer is 17."
        if "Give the reasons" in call.question
        else "The answer is 1."
    )
    status, records, err = run(server, lines(sums(1)), "--strategy", "star")
    assert status == 0
    teacher = records[0]["teacher"]
    assert (teacher["label"], teacher["hinted"], teacher["agrees"]) == ("17", True, True)
    assert [sample["label"] for sample in teacher["samples"]] == ["1", "17"]
    assert (
        "1 of 1 agree with gold (100.0%); read: 1 by cue; 1 with the answer shown, 0 of them say so"
        in err
    )


def test_samples_are_drawn_until_enough_agree(server: FixtureServer) -> None:
    answers = ["The answer is 1.", "10 + 7. The answer is 17.", "The answer is 2."]
    server.act = lambda call: Act(text=answers[len(server.calls) - 1])
    options = ("--samples", "5", "--stop-after", "1")
    status, records, _ = run(server, lines(sums(1)), *options)
    assert status == 0
    assert len(server.calls) == 2
    assert records[0]["teacher"]["label"] == "17"
    again = run(server, lines(sums(1)), *options, "--offline")
    assert again[1] == records


def test_the_budget_ends_a_run_with_its_own_status(server: FixtureServer, tmp_path: Path) -> None:
    server.act = lambda call: Act(usage=true_usage(call))
    options = (*PRICED, "--journal", tmp_path / "j", "--concurrency", "2")
    status, records, err = run(server, lines(sums(50)), *options, "--max-cost", "200")
    assert status == 4
    assert 0 < len(records) == len(server.calls) < 50
    assert [record["id"] for record in records] == [f"r{n}" for n in range(len(records))]
    spent = PRICE.cost(server.billed["prompt_tokens"], server.billed["completion_tokens"])
    assert f"${spent:,.4f} of $200.0000 spent" in err
    assert "the budget is used up" in err
    assert "run it again to go on" in err
    before = len(server.calls)
    status, rest, _ = run(server, lines(sums(50)), *options, "--max-cost", "3000")
    assert status == 0
    assert rest[:before] == records
    assert len(server.calls) == 50


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--max-cost", "1"), "--max-cost needs the price of a token"),
        (("--max-cost", "1", "--price", "1,1"), "--max-cost needs to know how long an answer"),
        (("--price", "cheap"), 'write it as "IN,OUT"'),
        (("--samples", "2", "--stop-after", "3"), "--stop-after 3 needs as many --samples"),
        (("--param", "n=4"), "use --samples to draw several answers per record"),
        (("--param", "top_p=Infinity"), "--param top_p: inf is not a number that JSON has"),
        (("--param", 'logit_bias={"5": 1e999}'), "is not a number that JSON has"),
        (("--param", "stream=true"), "answer is read whole, not as a stream; leave stream out"),
        (("--temperature", "nan"), "--temperature must be at least 0, not nan"),
        (("--param", "messages=[]"), "messages is not set here; use --system, --template or -m"),
        (("--journal", "j", "--no-journal"), "--journal and --no-journal exclude each other"),
        (("--from-batch", "f", "--no-journal"), "--from-batch puts answers into the journal"),
        (
            ("--teacher", "replay", "--strategy", "star"),
            "--strategy star needs a teacher that can be shown the answer",
        ),
        (("--strategy", "star", "--samples", "3", "--keep", "vote"), "shows the answer in vain"),
        (
            ("--teacher", "demo", "--max-cost", "1", "--price", "1,1"),
            "--max-cost is for a teacher behind an endpoint",
        ),
        (
            ("--teacher", "demo", "--requests-per-minute", "5"),
            "--requests-per-minute is for a teacher behind an endpoint",
        ),
        (("--tokens-per-minute", "0"), "Invalid value for '--tokens-per-minute': 0 is not in"),
        (
            ("--teacher", "demo", "--dry-run"),
            "--dry-run is for a teacher behind an endpoint",
        ),
        (
            ("--teacher", "replay", "--emit-batch", "-"),
            "--emit-batch is for a teacher behind an endpoint",
        ),
        (("--base-url", "localhost:8000"), '"localhost:8000" is not the URL of an HTTP server'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_that_do_not_go_together_are_refused(
    options: tuple[str, ...], message: str, server: FixtureServer
) -> None:
    status, records, err = run(server, lines(sums(1)), *options)
    assert status in (1, 2)
    assert message in " ".join(err.split())
    assert not records
    assert not server.calls


def test_a_typed_journal_wins_over_a_recipe_without_one(
    server: FixtureServer, tmp_path: Path
) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text("[annotate]\nno-journal = true\n")
    options = ("-c", recipe, "--journal", tmp_path / "j")
    for _ in range(2):
        assert run(server, lines(sums(3)), *options)[0] == 0
    assert len(server.calls) == 3
    assert run(server, lines(sums(3)), "-c", recipe)[0] == 0
    assert len(server.calls) == 6


@pytest.mark.parametrize(
    "line",
    [
        "max-cost = 5",
        "batch = true",
        "top-logprobs = 5",
        "score-choices = 'chat'",
        "requests-per-minute = 9",
        "tokens-per-minute = 9",
    ],
)
def test_what_a_recipe_sets_for_its_endpoint_is_of_no_use_to_another_teacher(
    tmp_path: Path, line: str
) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text(f"[annotate]\nmodel = 'M'\n{line}\n")
    record = {**sums(1)[0], "completion": "The answer is 17."}
    status, records, err = run(None, lines([record]), "-c", recipe, "--teacher", "replay")
    assert (status, records[0]["teacher"]["model"]) == (0, "replay"), err


def test_too_many_failures_end_a_run(server: FixtureServer) -> None:
    server.act = lambda call: Act(text="Hm." if int(call.question[4:7]) % 4 == 0 else None)
    status, records, err = run(server, lines(sums(200)), "--max-error-rate", "0.05")
    assert status == 1
    assert 50 <= len(records) < 200
    assert "more than --max-error-rate 0.05 allows (mostly: unreadable)" in err
    status, records, _ = run(server, lines(sums(8)), "--max-error-rate", "0.5")
    assert status == 0


def test_too_many_failures_in_a_small_run_are_an_error_at_its_end(server: FixtureServer) -> None:
    server.act = lambda call: Act(text="Hm." if "1" in call.question[4:6] else None)
    status, records, err = run(server, lines(sums(12)), "--max-error-rate", "0.5")
    assert status == 1
    assert len(records) == 12
    assert "11 of 12 records got no answer" in err


def test_a_dry_run_tells_the_price_and_asks_nothing(server: FixtureServer, tmp_path: Path) -> None:
    place = tmp_path / "j"
    arguments = f"annotate -m fixture --base-url {server.url} --dry-run --journal {place}"
    arguments += " --price 0.25,2 --max-tokens 200"
    done = CliRunner().invoke(mitools, arguments.split(), input=lines(sums(10)))
    assert done.exit_code == 0
    assert not server.calls
    assert not place.exists()
    head, prompt = done.stdout.split("\n\n--- system\n")
    assert head.splitlines()[0] == ("10 rows: 0 answered by the journal (0 completions), 10 to ask")
    low, expected, worst = (line.split() for line in head.splitlines()[3:6])
    assert (low[:2], expected[:2], worst[:2]) == (
        ["low", "10"],
        ["expected", "10"],
        ["worst", "20"],
    )
    assert worst[3] == "4,000"
    assert low[4].startswith("$0.0")
    assert prompt.endswith("--- user\nAdd 10 and 7.\n\n")


def test_a_dry_run_with_a_limit_also_tells_the_price_of_the_rest(
    server: FixtureServer, tmp_path: Path
) -> None:
    options = ["--journal", tmp_path / "j", "--price", "0.25,2", "--max-tokens", "200"]
    text = lines(sums(60))

    def estimated() -> list[str]:
        arguments = ["-m", "fixture", "--base-url", server.url, *map(str, options)]
        arguments += ["--limit", "25", "--dry-run"]
        done = CliRunner().invoke(mitools, ["annotate", *arguments], input=text)
        assert done.exit_code == 0, done.stderr
        return done.stdout.partition("\n\n---")[0].splitlines()

    before = estimated()
    assert before[0] == "25 rows: 0 answered by the journal (0 completions), 25 to ask"
    assert before[9] == (
        "without --limit, the other 35 rows: 0 answered by the journal (0 completions), 35 to ask"
    )
    assert [line.split()[:2] for line in (before[4], before[13])] == [
        ["expected", "25"],
        ["expected", "35"],
    ]
    assert not server.calls
    assert run(server, text, "--limit", "25", *options)[0] == 0
    after = estimated()
    assert after[0] == "25 rows: 25 answered by the journal (25 completions), 0 to ask"
    assert "35 rows: 0 answered by the journal" in after[9]
    # Extrapolated from what the trial has cost: 5 tokens an answer, not 100.
    assert after[16] == "expected: as the 25 records that the journal answers"
    assert after[13].split()[3] == "175"


def test_a_dry_run_tells_the_least_time_that_limits_per_minute_allow() -> None:
    def told(*options: str) -> list[str]:
        arguments = ["annotate", "-m", "fixture", "--no-journal", "--dry-run", *options]
        done = CliRunner().invoke(mitools, arguments, input=lines(sums(90)))
        assert done.exit_code == 0, done.stderr
        return done.stdout.splitlines()

    assert not [line for line in told() if "least time" in line]
    requests = told("--requests-per-minute", "30")
    assert requests[2].endswith("cost    least time")
    assert [line.split()[-2:] for line in requests[3:6]] == [
        ["3", "min"],
        ["3", "min"],
        ["6", "min"],
    ]
    assert "least time: at --requests-per-minute 30" in requests
    both = told("--requests-per-minute", "30", "--tokens-per-minute", "1000")
    minutes = sum(float(count.replace(",", "")) for count in both[3].split()[2:4]) / 1000
    assert both[3].split()[-2:] == [f"{minutes:.3g}", "min"]
    assert both[5].endswith("unknown       unknown")  # as answers have no bound
    assert "least time: at --requests-per-minute 30 and --tokens-per-minute 1,000" in both


def test_an_unknown_price_is_called_unknown(server: FixtureServer) -> None:
    done = CliRunner().invoke(
        mitools,
        ["annotate", "-m", "fixture", "--base-url", server.url, "--dry-run"],
        input=lines(sums(1)),
    )
    assert 'cost: unknown; add "--price IN,OUT"' in done.stdout
    assert "no limit       unknown" in done.stdout


def test_a_batch_goes_out_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")  # neither way needs one
    requests, results = tmp_path / "requests.jsonl", tmp_path / "results.jsonl"
    options = ("-m", "fixture", "--journal", tmp_path / "j")
    status, records, err = run(None, lines(sums(3)), *options, "--emit-batch", requests)
    assert (status, records) == (0, [])
    assert err == "mitools annotate: 3 records: 0 answered already, 3 requests\n"
    rows = []
    for line in reversed(requests.read_text().splitlines()):
        request = json.loads(line)
        body = complete(solve(request["body"]["messages"][-1]["content"]), "fixture")
        rows.append({"custom_id": request["custom_id"], "response": {"body": body}})
    results.write_text("".join(json.dumps(row) + "\n" for row in rows[:2]))
    status, records, err = run(None, lines(sums(3)), *options, "--from-batch", results)
    assert status == 0
    assert err.splitlines()[0] == "mitools annotate: 2 answers and 0 failures from the batch"
    assert "3 rows = 2 answered + 0 rejected + 1 failed (1 missing)" in err
    assert "mitools annotate: 1 record has no answer: --emit-batch FILE in place of" in err
    assert [record["teacher"]["agrees"] for record in records] == [None, True, True]
    status, _, err = run(None, lines(sums(3)), *options, "--emit-batch", "-")
    assert "2 answered already, 1 requests" in err


def test_a_damaged_result_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text("nonsense\n")
    options = ("-m", "fixture", "--base-url", "http://127.0.0.1:9/v1", "--journal", tmp_path / "j")
    status, records, err = run(None, lines(sums(1)), *options, "--from-batch", bad)
    assert (status, records) == (1, [])
    assert f"{bad}:1: " in err


def test_the_prompt_with_the_hint_can_be_looked_at() -> None:
    done = CliRunner().invoke(
        mitools, ["annotate", "--strategy", "hinted", "--show-prompt"], input=lines(sums(1))
    )
    assert "Add 10 and 7.\n\nThe answer is 17. Give the reasons" in done.stdout


def test_the_report_says_what_does_not_rest_on_the_servers_count(
    server: FixtureServer, tmp_path: Path
) -> None:
    server.script = [Act(usage={"prompt_tokens": -5, "completion_tokens": True}), Act(status=502)]
    server.act = lambda call: (server.script or [Act(usage=true_usage(call))]).pop(0)
    options = (*PRICED, "--journal", tmp_path / "j", "--concurrency", "1", "--retries", "0")
    status, _, err = run(server, lines(sums(3)), *options, "--max-cost", "2000")
    assert status == 0
    said = [line.removeprefix("mitools annotate: ") for line in err.splitlines()[2:]]
    assert [line.partition("$")[0] for line in said] == [
        "",
        "the usage of 1 of 2 answers is not believable (no count of prompt tokens): they count in "
        "full, ",
        "1 requests without an answer may be billed: they count in full, ",
        "server_error: record r1: 502: scripted 502 for key [key]",
    ]
    status, _, err = run(server, lines(sums(3)[::2]), *options, "--max-cost", "2000")
    assert err.endswith("mitools annotate: $0.0000 of $2,000.0000 spent\n")


def test_a_cap_that_was_passed_is_said(server: FixtureServer, tmp_path: Path) -> None:
    text = "On and on. " * 400 + "The answer is 1."
    server.act = lambda call: Act(text=text, usage=true_usage(call, text))
    options = (*PRICED, "--journal", tmp_path / "j", "--max-cost", "200")
    status, records, err = run(server, lines(sums(30)), *options)
    assert (status, len(records), len(server.calls)) == (4, 1, 1)
    assert "1 answers took more tokens than was asked for" in err
    assert "over --max-cost: it was under way when the server first took more tokens" in err


def test_the_defaults_of_the_command_are_those_of_the_class() -> None:
    params = command.make_context("annotate", ["-m", "fixture"]).params
    names = {one.name for one in dataclasses.fields(AnnotateOptions)} & params.keys()
    shown = AnnotateOptions(**{name: params[name] for name in names})
    assert shown == AnnotateOptions(model="fixture")
    assert {one.name for one in dataclasses.fields(AnnotateOptions)} - names == {
        "is_ordered",  # --unordered
        "keeps_journal",  # --no-journal
    }

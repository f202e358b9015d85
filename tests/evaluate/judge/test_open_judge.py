"""Opening a judge over real HTTP, and asking it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from mitools.annotate.notices import Notices
from mitools.errors import TeacherRefusedError
from mitools.evaluate.judge.judging import Query
from mitools.evaluate.judge.open_judge import open_judge
from mitools.evaluate.options import JudgeOptions
from mitools.evaluate.sample import KeptRecord, Sample
from tests.evaluate.examples import equation
from tests.server import KEY, Act, Call, FixtureServer

pytestmark = pytest.mark.usefixtures("few_resamples")


def answer(call: Call) -> Act:
    """Refuse the question q2, and answer the others."""
    if "q2" in call.question:
        return Act(status=400, code="content_filter")
    return Act(text="Score: 4")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FixtureServer]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FixtureServer() as running:
        running.act = answer
        yield running


def test_questions_are_answered_in_order_and_progress_is_reported(server: FixtureServer) -> None:
    counts: list[tuple[int, int]] = []
    warnings: list[str] = []
    queries = [Query(str(n), f"q{n}") for n in range(4)]
    with open_judge(
        JudgeOptions("judge-1", server.url),
        Notices(on_warning=warnings.append),
        lambda count, total: counts.append((count, total)),
    ) as judge:
        assert judge.ask(queries) == ["Score: 4", "Score: 4", None, "Score: 4"]
    assert counts == [(count, 4) for count in range(5)]
    assert any("the judge gave no reply to 1 of 4 questions" in text for text in warnings)


def test_replies_that_a_limit_of_tokens_cut_off_are_warned_about(server: FixtureServer) -> None:
    server.act = lambda call: (
        Act(text="It is", finish_reason="length") if "q2" in call.question else Act(text="Score: 4")
    )
    warnings: list[str] = []
    with open_judge(JudgeOptions("judge-1", server.url), Notices(on_warning=warnings.append)) as it:
        assert list(it.ask([Query(str(n), f"q{n}") for n in range(3)]))[2] == "It is"
    assert [text for text in warnings if "cut off" in text] == [
        "1 of 3 replies of the judge were cut off by the server's limit of tokens, so they may "
        "lack a verdict"
    ]


def test_no_more_records_are_judged_than_the_options_say(server: FixtureServer) -> None:
    sample: Sample[KeptRecord] = Sample(10)
    for number in range(3, 9):
        said = {"label": "2", "rationale": f"{number} + 1"}
        sample.add(KeptRecord(equation(number, student=said)))
    with open_judge(JudgeOptions("judge-1", server.url, records=2)) as judge:
        found = judge.judge(sample, None, 0)
    assert found["about"] == {"model": "judge-1", "records": 2, "of": 6}
    assert (found["score"].value, found["score"].n, len(server.calls)) == (4, 2, 2)


def test_two_runs_are_compared(server: FixtureServer) -> None:
    server.act = lambda call: Act(text="Better: tie")
    samples: list[Sample[KeptRecord]] = [Sample(5), Sample(5)]
    for sample, text in zip(samples, ("so", "because"), strict=True):
        sample.add(KeptRecord(equation(3, student={"label": "2", "rationale": text})))
    with open_judge(JudgeOptions("judge-1", server.url)) as judge:
        found = judge.judge(samples[0], samples[1], 0)
    assert (found["win_rate"].value, len(server.calls)) == (0.5, 2)


def test_a_missing_key_is_noticed_when_it_is_opened(
    server: FixtureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(TeacherRefusedError), open_judge(JudgeOptions("judge-1")):
        pytest.fail("it opened")


def test_a_judge_that_refuses_says_why_and_the_replies_in_flight_are_kept(
    server: FixtureServer, tmp_path: Path
) -> None:
    server.script = [Act(status=401), *[Act(text="Score: 4", delay=0.5)] * 15]
    server.act = None
    server.default = Act(text="Score: 5")
    options = JudgeOptions("judge-1", server.url, str(tmp_path / "refusing.sqlite3"))
    queries = [Query(str(n), f"q{n}") for n in range(40)]
    with open_judge(options) as judge, pytest.raises(TeacherRefusedError, match="401"):
        judge.ask(queries)
    assert len(server.calls) == 16
    with open_judge(options) as judge:
        assert list(judge.ask(queries)).count("Score: 4") == 15
    assert len(server.calls) == 16 + 25


def test_a_judge_works_where_an_event_loop_runs_already(
    server: FixtureServer, tmp_path: Path
) -> None:
    options = JudgeOptions("judge-1", server.url, str(tmp_path / "loop.sqlite3"))

    async def within() -> list[str | None]:
        with open_judge(options) as judge:
            return list(judge.ask([Query("q1", "q1?")]))

    assert asyncio.run(within()) == ["Score: 4"]

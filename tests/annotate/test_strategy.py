"""What a strategy asks, and what it makes of the answers, with answers made for the test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.annotate.protocol import Problem, Question, Reply
from mitools.annotate.strategy import Strategy, converse
from mitools.tasks import task_named

GOLD = {"id": "r", "input": "Add 3 and 4.", "label": "7"}
RIGHT, WRONG = "3 + 4 it is. The answer is 7.", "3 and 5, so 8. The answer is 8."
NOTHING = "Hard to say."

Answers = Callable[[Question], Reply]


def talk(
    strategy: Strategy,
    answers: Answers,
    record: dict[str, Any] | None = None,
    resamples: int = 1,
) -> tuple[dict[str, Any], list[list[tuple[int, str | None]]]]:
    """Hold a dialogue; give the teacher field, and the waves of (sample, hint) that were asked."""
    dialogue = converse(record or GOLD, task_named("equation"), strategy, resamples)
    waves = []
    replies: Sequence[Reply] | None = None
    while True:
        try:
            questions = next(dialogue) if replies is None else dialogue.send(replies)
        except StopIteration as done:
            return done.value.record["teacher"], waves
        waves.append([(question.sample, question.hint) for question in questions])
        replies = [answers(question) for question in questions]


def in_turn(*texts: str) -> Answers:
    """Answer sample k with the k-th text, and a hint with its gold label."""

    def answer(question: Question) -> Reply:
        if question.hint is not None:
            return Reply(text=f"As a hint says. The answer is {question.hint}.")
        if question.sample >= len(texts):
            return Reply(problem=Problem("missing", "no more"))
        return Reply(text=texts[question.sample])

    return answer


def test_blind_asks_once_and_compares() -> None:
    teacher, waves = talk(Strategy(), in_turn(WRONG))
    assert waves == [[(0, None)]]
    assert teacher == {
        "label": "8",
        "rationale": "3 and 5, so 8.",
        "agrees": False,
        "read_by": "cue",
    }


def test_an_unreadable_answer_is_drawn_anew_once() -> None:
    teacher, waves = talk(Strategy(), in_turn(NOTHING, RIGHT, RIGHT))
    assert waves == [[(0, None)], [(1, None)]]
    assert teacher["label"] == "7"
    teacher, waves = talk(Strategy(), in_turn(NOTHING, NOTHING, RIGHT))
    assert len(waves) == 2
    assert teacher["error"]["kind"] == "unreadable"
    assert teacher["label"] is None


def test_samples_are_asked_at_once_and_all_kept() -> None:
    teacher, waves = talk(Strategy(samples=4), in_turn(WRONG, NOTHING, RIGHT, RIGHT, RIGHT))
    assert waves == [[(0, None), (1, None), (2, None), (3, None)], [(4, None)]]
    assert [sample["label"] for sample in teacher["samples"]] == ["8", None, "7", "7", "7"]
    assert [sample["agrees"] for sample in teacher["samples"]] == [False, None, True, True, True]
    assert teacher["samples"][1]["error"]["kind"] == "unreadable"
    assert teacher["label"] == "8"  # the first, whatever gold says


@pytest.mark.parametrize(
    ("keep", "label"), [("all", "8"), ("agree", "7"), ("vote", "6 + 1")], ids=str
)
def test_keep_chooses_which_sample_speaks(keep: str, label: str) -> None:
    answers = in_turn(WRONG, "It is 6 + 1. The answer is 6 + 1.", RIGHT, WRONG, RIGHT)
    if keep == "agree":
        answers = in_turn(WRONG, RIGHT, WRONG)
    strategy = Strategy(samples=5 if keep == "vote" else 3, keep=keep)
    teacher, _ = talk(strategy, answers)
    assert teacher["label"] == label  # 6 + 1 and 7 are the same answer and vote together


def test_agree_falls_back_to_the_first_that_can_be_read() -> None:
    teacher, _ = talk(Strategy(samples=3, keep="agree"), in_turn(NOTHING, WRONG, WRONG))
    assert (teacher["label"], teacher["agrees"]) == ("8", False)


def test_votes_that_tie_go_to_the_earlier() -> None:
    assert talk(Strategy(samples=2, keep="vote"), in_turn(WRONG, RIGHT))[0]["label"] == "8"


def test_stop_after_asks_for_no_more_than_it_surely_needs() -> None:
    strategy = Strategy(samples=6, stop_after=2)
    _, waves = talk(strategy, in_turn(WRONG, RIGHT, NOTHING, WRONG, RIGHT, RIGHT))
    assert waves == [[(0, None), (1, None)], [(2, None)], [(3, None)], [(4, None)]]
    teacher, waves = talk(strategy, in_turn(*[WRONG] * 6))
    assert sum(map(len, waves)) == 6  # the next sample serves for a resample
    assert teacher["agrees"] is False


def test_without_gold_stop_after_draws_all_samples() -> None:
    record = {**GOLD, "label": None}
    _, waves = talk(Strategy(samples=3, stop_after=1), in_turn(*[RIGHT] * 3), record)
    assert [len(wave) for wave in waves] == [3]


def test_hinted_gives_the_gold_label_and_flags_what_says_so() -> None:
    teacher, waves = talk(Strategy("hinted"), in_turn())
    assert waves == [[(0, "7")]]
    assert teacher["hinted"] is True
    assert teacher["leak"] is True
    assert teacher["agrees"] is True
    teacher, _ = talk(Strategy("hinted"), lambda _: Reply(text=RIGHT))
    assert "leak" not in teacher


def test_hinted_without_gold_is_an_error_of_the_record() -> None:
    teacher, waves = talk(Strategy("hinted"), in_turn(), {"id": "r", "input": "?"})
    assert waves == []
    assert teacher["error"]["kind"] == "no_gold"


def test_star_hints_only_where_the_blind_answer_missed() -> None:
    teacher, waves = talk(Strategy("star"), in_turn(RIGHT))
    assert waves == [[(0, None)]]
    assert "hinted" not in teacher
    assert "samples" not in teacher
    teacher, waves = talk(Strategy("star"), in_turn(WRONG))
    assert waves == [[(0, None)], [(0, "7")]]
    assert (teacher["label"], teacher["hinted"]) == ("7", True)
    assert [sample["label"] for sample in teacher["samples"]] == ["8", "7"]


def test_star_that_keeps_all_leaves_the_teachers_own_answer() -> None:
    teacher, waves = talk(Strategy("star", keep="all"), in_turn(WRONG))
    assert len(waves) == 2
    assert (teacher["label"], teacher["agrees"]) == ("8", False)
    assert "hinted" not in teacher


def test_star_does_not_ask_again_what_the_server_refuses() -> None:
    refused = Reply(problem=Problem("context_length", "too long"))
    teacher, waves = talk(Strategy("star"), lambda _: refused)
    assert len(waves) == 1
    assert teacher["error"]["kind"] == "context_length"


def test_star_without_gold_is_blind() -> None:
    _, waves = talk(Strategy("star"), in_turn(WRONG), {"id": "r", "input": "?"})
    assert len(waves) == 1


def test_a_replay_with_fewer_samples_than_wanted_is_no_error() -> None:
    teacher, _ = talk(Strategy(samples=4), in_turn(WRONG, RIGHT), resamples=0)
    assert [sample["label"] for sample in teacher["samples"]] == ["8", "7"]
    assert "error" not in teacher
    assert talk(Strategy(samples=2), in_turn(), resamples=0)[0]["error"]["kind"] == "missing"


def test_usage_counts_every_completion() -> None:
    def answer(question: Question) -> Reply:
        return Reply(text=RIGHT, usage={"prompt_tokens": 10, "completion_tokens": question.sample})

    teacher, _ = talk(Strategy(samples=3), answer)
    assert teacher["usage"] == {"prompt_tokens": 30, "completion_tokens": 3}


@pytest.mark.parametrize("error", [RecursionError, ValueError, ZeroDivisionError])
def test_an_answer_that_breaks_its_reader_is_its_own_records_fault(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_named("equation")
    parse = type(task).parse

    def fragile(self: Any, text: str, *more: Any) -> Any:
        if "boom" in text:
            raise error("deep inside")
        return parse(self, text, *more)

    monkeypatch.setattr(type(task), "parse", fragile)
    teacher, _ = talk(Strategy(), lambda _: Reply(text="boom", model="m"))
    assert teacher["label"] is None
    assert teacher["error"]["kind"] == "unreadable"
    assert "deep inside" in teacher["error"]["message"]
    teacher, _ = talk(Strategy(samples=2), in_turn("boom", RIGHT, RIGHT))
    assert teacher["label"] == "7"


@given(
    data=st.data(),
    name=st.sampled_from(["blind", "star", "hinted"]),
    samples=st.integers(1, 5),
    resamples=st.integers(0, 1),
)
def test_no_record_takes_more_calls_than_are_bounded(
    data: st.DataObject, name: str, samples: int, resamples: int
) -> None:
    stop_after = data.draw(st.none() | st.integers(1, samples))
    strategy = Strategy(name, samples, stop_after)
    texts = st.sampled_from([RIGHT, WRONG, NOTHING, ""])
    record = data.draw(st.sampled_from([GOLD, {**GOLD, "label": None}]))
    draw = lambda _: Reply(text=data.draw(texts))  # noqa: E731
    teacher, waves = talk(strategy, draw, record, resamples)
    asked = [question for wave in waves for question in wave]
    has_gold = record["label"] is not None
    assert len(asked) <= strategy.most_calls(resamples, has_gold=has_gold)
    assert len(set(asked)) == len(asked)
    if stop_after is not None and name != "star" and has_gold:
        agreeing = sum(sample["agrees"] is True for sample in teacher.get("samples", [teacher]))
        assert agreeing <= stop_after


@pytest.mark.parametrize("share", [0.0, 0.25, 0.75, 1.0])
@pytest.mark.parametrize(
    "strategy",
    [Strategy(), Strategy("star"), Strategy(samples=4, stop_after=1), Strategy("star", 3, 2)],
    ids=str,
)
def test_expected_calls_are_those_that_a_simulation_makes(strategy: Strategy, share: float) -> None:
    # Enumerates every sequence of right and wrong blind answers, with its probability.
    total = 0.0
    for code in range(2**strategy.samples):
        texts = [RIGHT if code >> k & 1 else WRONG for k in range(strategy.samples)]
        _, waves = talk(strategy, in_turn(*texts))
        right = sum(text == RIGHT for text in texts)
        chance = share**right * (1 - share) ** (strategy.samples - right)
        total += chance * sum(map(len, waves))
    assert strategy.expected_calls(share) == pytest.approx(total)


LAST = "Take 3 and 4. This makes 7."
LINE = "Take 3 and 4.\n7"


@pytest.mark.parametrize(
    ("reading", "label", "text", "read_by"),
    [
        (None, "7", LAST, "statement"),
        (None, None, LAST, None),
        (None, None, LINE, "line"),
        ("statement", None, LAST, "statement"),
        ("cue", "7", LINE, None),
        ("cue", "7", RIGHT, "cue"),
        ("boxed", "7", RIGHT, None),
        ("boxed", "7", "So \\boxed{7}.", "boxed"),
    ],
)
def test_how_loosely_a_text_is_read_depends_on_gold(
    reading: str | None, label: str | None, text: str, read_by: str | None
) -> None:
    record = {**GOLD, "label": label}
    teacher, _ = talk(Strategy(reading=reading), in_turn(text), record, resamples=0)
    assert teacher.get("read_by") == read_by
    assert (teacher["label"] == "7") is (read_by is not None)


def test_the_last_whole_sentence_of_a_cut_off_text_states_nothing() -> None:
    def cut(question: Question) -> Reply:
        return Reply(text="There are 3 and 4. They make 9 with 2. The answer", is_truncated=True)

    teacher, _ = talk(Strategy(), cut, resamples=0)
    assert teacher["error"]["kind"] == "truncated"


@pytest.mark.parametrize("gold", ["He sold 3.\n#### 7", "7 apples", "\\frac{14}{2}"])
def test_gold_that_is_not_an_answer_is_compared_with_nothing(gold: str) -> None:
    record = {**GOLD, "label": gold}
    teacher, waves = talk(Strategy("star", samples=2, stop_after=1), in_turn(RIGHT, RIGHT), record)
    assert teacher["agrees"] is None
    assert all(hint is None for wave in waves for _, hint in wave)
    teacher, _ = talk(Strategy("hinted"), in_turn(RIGHT), record)
    assert teacher["error"]["kind"] == "no_gold"


def test_an_invented_example_after_the_records_own_header_is_cut() -> None:
    record = {"id": "r", "input": "Tale: Add 3 and 4.", "label": "7"}
    invented = "The answer is 7.\nTale: Add 1 and 1.\nThe answer is 2."
    teacher, _ = talk(Strategy(), in_turn(f"3 and 4. {invented}"), record)
    assert (teacher["label"], teacher["rationale"]) == ("7", "3 and 4.")
    other = {**record, "input": "Add 3 and 4."}
    of_template = Strategy(headers=frozenset({"tale"}))
    assert talk(of_template, in_turn(invented), other)[0]["label"] == "7"


def test_thoughts_of_a_replayed_text_are_its_reasons() -> None:
    teacher, _ = talk(Strategy(), in_turn("<think>3 and 4.</think>\\boxed{7}"))
    assert (teacher["label"], teacher["rationale"]) == ("7", "3 and 4.")
    teacher, _ = talk(Strategy(), in_turn("<think>The answer is 7."), resamples=0)
    assert teacher["error"] == {"kind": "empty", "message": "the completion holds thoughts only"}

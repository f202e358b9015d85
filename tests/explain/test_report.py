"""The messages about a run."""

from __future__ import annotations

from typing import Any

from mitools.explain.options import ExplainOptions
from mitools.explain.report import RunMessage, run_messages
from mitools.explain.run import ExplanationRun
from mitools.explain.second_student import SecondStudent


def answered(name: str, label: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "input": "?", "label": "a", "student": {"label": label}, **fields}


def messages(run: ExplanationRun, records: list[dict[str, Any]], most: int = 99) -> list[str]:
    for _, _ in zip(range(most), run.run(records), strict=False):
        pass
    return [f"{'warning: ' * message.is_warning}{message.text}" for message in run_messages(run)]


def test_the_counts_are_said() -> None:
    run = ExplanationRun(ExplainOptions(right=True))
    records = [answered("x", "a"), answered("y", "b")]
    assert messages(run, records) == ["1 shown of 2 read; label right 1/1 (100%)"]


def test_the_reason_for_an_early_end_is_said() -> None:
    records = [answered(str(number), "a") for number in range(3)]
    (limited,) = messages(ExplanationRun(ExplainOptions(limit=2)), records)
    assert limited.endswith("; stopped at --limit")
    (closed,) = messages(ExplanationRun(ExplainOptions()), records, most=1)
    assert closed.endswith("; stopped when the pager was closed")
    (sorted_,) = messages(ExplanationRun(ExplainOptions(limit=2, sort="id")), records)
    assert not sorted_.endswith("--limit")


def test_a_filter_of_answers_that_do_not_exist_is_explained() -> None:
    bare = [{"id": "x", "input": "?", "label": "a"}]
    assert messages(ExplanationRun(ExplainOptions(wrong=True)), bare) == [
        "none of 1 records matches",
        'warning: no record has a student\'s answer; add "--student DIR"',
    ]
    assert messages(ExplanationRun(ExplainOptions(id=("y",))), bare) == [
        "none of 1 records matches"
    ]


def test_a_filter_by_an_operating_point_that_no_record_holds_is_explained() -> None:
    missing = (
        'warning: no record says whether its answer is sure; run "mitools eval '
        '--target-accuracy 0.95" on the records first'
    )
    for asked in (ExplainOptions(sure=True), ExplainOptions(unsure=True)):
        found = messages(ExplanationRun(asked), [answered("x", "a")])
        assert found == ["none of 1 records matches", missing]
    unsure = answered("x", "a", scores={"sure": False})
    assert messages(ExplanationRun(ExplainOptions(sure=True)), [unsure]) == [
        "none of 1 records matches"
    ]


def test_a_comparison_says_what_it_leaves_out() -> None:
    second = SecondStudent([answered(name, "a") for name in "xyz"], "b.jsonl")
    run = ExplanationRun(ExplainOptions(), others=[second])
    first = [{**answered(name, "a"), "split": "valid"} for name in "xy"]
    (told, _) = messages(run, [*first, answered("z", "a")])
    assert told == (
        "b.jsonl against the first: fixed 0, broken 0, both right 1, both wrong 0; "
        "2 records of train or valid left out"
    )


def test_a_second_student_is_compared_and_its_gaps_are_said() -> None:
    second = SecondStudent([answered("x", "a"), answered("z", "a"), answered("z", "b")], "b.jsonl")
    run = ExplanationRun(ExplainOptions(), others=[second])
    assert messages(run, [answered("x", "b"), answered("y", "a")]) == [
        "warning: 1 of 2 records without an answer in b.jsonl",
        "warning: 1 of 3 records of b.jsonl with a repeated id, left out",
        "warning: 1 answer in b.jsonl to records that were not read",
        "b.jsonl against the first: fixed 1, broken 0, both right 0, both wrong 0; exact McNemar "
        "p = 1.000 (too few discordant pairs for p < 0.05)",
        "1 shown of 2 read; label right 0/1 (0%)",
    ]


def test_nothing_is_said_about_a_text_that_was_typed() -> None:
    run = ExplanationRun(ExplainOptions(text="Why?", student="runs/x"), open_student=lambda: None)  # type: ignore[arg-type,return-value]
    assert list(run_messages(run)) == []
    assert RunMessage("x") == RunMessage("x", is_warning=False)

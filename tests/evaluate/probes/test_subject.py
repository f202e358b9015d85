"""What a probe works on: answers to changed records, and draws that depend on texts alone."""

from __future__ import annotations

from mitools.asking.answering import Answering
from mitools.evaluate.probes.subject import draws, open_instrument
from tests.evaluate.probes.subjects import Talker, choice, subject


def talker() -> Talker:
    return Talker(lambda text: "sea" if "fish" in text else "tree")


def test_changed_records_get_new_answers_and_verdicts() -> None:
    probed = subject(talker(), [choice(1)])
    (changed,) = probed.answer([{**probed.records[0], "input": "Where do birds live?"}])
    assert (probed.records[0]["scores"]["correct"], changed["scores"]["correct"]) == (True, False)
    assert changed["student"]["label"] == "tree"


def test_rationales_may_be_left_out() -> None:
    probed = subject(talker(), [choice(1)])
    (changed,) = probed.answer(probed.records, rationales=False)
    assert "rationale" not in changed["student"]


def test_answers_do_not_depend_on_the_batches_and_are_counted() -> None:
    records = [choice(n) for n in range(5)]
    counts: list[int] = []
    whole = subject(talker(), records)
    parts = subject(talker(), records, chunk=2, update=counts.append)
    assert whole.records == parts.records
    assert counts == [2, 2, 1]


def test_the_task_of_the_subject_stands_above_that_of_the_record() -> None:
    assert subject(talker(), []).task_of(choice(1)).name == "choice"
    assert subject(talker(), [], task="text").task_of(choice(1)).name == "text"


def test_rationales_are_read_by_the_task_of_the_subject_too() -> None:
    student = Talker(lambda _text: "9", lambda _text: "Add both numbers: ( 5 + 7 ).")
    record = {"id": "1", "input": "How many?", "label": "(5 + 7)", "task": "text"}
    for task, is_right in ((None, False), ("equation", True)):
        probed = subject(student, [record], task=task, answering=Answering("named"))
        assert probed.records[0]["scores"]["correct"] is is_right


def test_draws_depend_on_the_seed_and_the_texts() -> None:
    def drawn(seed: int, *texts: str) -> float:
        return draws(seed, *texts).random()

    assert drawn(0, "a", "b") == drawn(0, "a", "b")
    assert len({drawn(0, "a", "b"), drawn(1, "a", "b"), drawn(0, "ab"), drawn(0, "b", "a")}) == 4
    assert drawn(0, "\ud800") == drawn(0, "\ud800")  # half of a surrogate pair


def test_a_student_of_another_kind_has_no_instrument() -> None:
    assert open_instrument(talker()) is None

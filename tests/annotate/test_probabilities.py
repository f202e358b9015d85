"""Probabilities of the choices, from what a server says of each token."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mitools.annotate.options import AnnotateOptions
from mitools.annotate.probabilities import answer_probabilities
from mitools.annotate.token_logprobs import read_tokens
from mitools.records import Record
from mitools.tasks import task_named
from tests.annotate.conftest import Annotate
from tests.annotate.test_cli import lines, run
from tests.server import Act, FixtureServer, complete, logprobs

Positions = Sequence[Mapping[str, float]]
FEELINGS = ["positive", "negative", "neutral"]


def plain(text: str) -> list[dict[str, float]]:
    """Split a text at its spaces; every token is certain."""
    words = text.split(" ")
    return [{word if number == 0 else f" {word}": 1.0} for number, word in enumerate(words)]


def probabilities(
    positions: Positions, task: str, choices: Sequence[str] | None = None, *, skip: int = 0
) -> dict[str, Any]:
    """Read a completion whose first ``skip`` tokens are the model's thoughts."""
    tokens = read_tokens(logprobs(*positions))
    text = "".join(token.text for token in tokens[skip:])
    answer = task_named(task).parse(text, choices)
    assert answer.label is not None
    return answer_probabilities(tokens, text, answer, choices)


def test_first_tokens_that_differ_tell_the_labels_apart() -> None:
    positions = [
        *plain("So the answer is"),
        {" positive": 0.6, " negative": 0.25, " Positive": 0.05, " neutral": 0.02, " mixed": 0.08},
        {".": 1.0},
    ]
    found = probabilities(positions, "labels", FEELINGS)
    assert found["choices"] == pytest.approx(
        {"positive": 0.65 / 0.92, "negative": 0.25 / 0.92, "neutral": 0.02 / 0.92}, abs=1e-6
    )
    assert found["confidence"] == found["choices"]["positive"]
    assert found["in_set_mass"] == pytest.approx(0.92, abs=1e-6)


@pytest.mark.parametrize(
    ("opening", "token", "others"),
    [
        (" (", "b", {"a": 0.3, "c": 0.1, "x": 0.2}),
        ("", " (b", {" (a": 0.3, " (c": 0.1, " the": 0.2}),
        (" ", "B", {"A": 0.2, "a": 0.1, "C": 0.1, "both": 0.2}),
    ],
)
def test_letters_however_they_are_split_into_tokens(
    opening: str, token: str, others: dict[str, float]
) -> None:
    closing = ")" if "(" in opening + token else ""
    positions = [*plain("So the answer is"), {opening: 1.0}, {token: 0.4, **others}, {closing: 1.0}]
    positions += [{" sand": 1.0}, {".": 1.0}]
    found = probabilities(positions, "choice", ["sea", "sand", "salt"])
    shares = {"sea": 0.375, "sand": 0.5, "salt": 0.125}
    assert found["choices"] == pytest.approx(shares, abs=1e-6)
    assert found["in_set_mass"] == pytest.approx(0.8, abs=1e-6)


def test_a_common_beginning_is_followed_to_where_the_labels_differ() -> None:
    positions = [
        *plain("So the answer is"),
        {" ne": 0.8, " pos": 0.2},
        {"utral": 0.75, "gative": 0.25},
        {".": 1.0},
    ]
    found = probabilities(positions, "labels", FEELINGS)
    shares = {"positive": 0.2, "negative": 0.2, "neutral": 0.6}
    assert found["choices"] == pytest.approx(shares, abs=1e-6)


def test_what_was_not_written_and_begins_several_labels_is_shared_equally() -> None:
    positions = [*plain("So the answer is"), {" positive": 0.6, " ne": 0.4}, {".": 1.0}]
    found = probabilities(positions, "labels", FEELINGS)
    shares = {"positive": 0.6, "negative": 0.2, "neutral": 0.2}
    assert found["choices"] == pytest.approx(shares, abs=1e-6)


@pytest.mark.parametrize(
    ("ending", "shares"),
    [
        ({".": 0.9, " world": 0.1}, {"sea": 0.9, "sea world": 0.1}),
        ({" world": 0.7, ".": 0.3}, {"sea": 0.3, "sea world": 0.7}),
    ],
)
def test_a_label_that_begins_another_one(
    ending: dict[str, float], shares: dict[str, float]
) -> None:
    positions = [*plain("So the answer is"), {" sea": 1.0}, ending, {".": 1.0}]
    found = probabilities(positions, "labels", ["sea", "sea world"])
    assert found["choices"] == pytest.approx(shares, abs=1e-6)


def test_a_choice_that_is_listed_twice_is_one() -> None:
    positions = [*plain("So the answer is ("), {"c": 0.5, "a": 0.3, "b": 0.2}, {") sea.": 1.0}]
    found = probabilities(positions, "choice", ["sea", "sand", "sea"])
    assert found["choices"] == pytest.approx({"sea": 0.8, "sand": 0.2})
    assert found["confidence"] == pytest.approx(0.8)


def test_a_label_alone_is_the_whole_completion() -> None:
    found = probabilities([{"sea": 0.7, "sand": 0.3}], "labels", ["sand", "sea", "sea salt"])
    assert found["choices"] == pytest.approx({"sand": 0.3, "sea": 0.7, "sea salt": 0}, abs=1e-6)


def test_thoughts_do_not_count() -> None:
    thoughts = [{"So the answer is positive.": 1.0}, {"</think>": 1.0}]
    answer = [*plain("So the answer is"), {" positive": 0.5, " negative": 0.5}, {".": 1.0}]
    found = probabilities([*thoughts, *answer], "labels", FEELINGS, skip=2)
    assert found["choices"]["positive"] == pytest.approx(0.5)


def test_the_label_comes_before_its_reasons() -> None:
    positions = [{"B": 0.7, "A": 0.3}, {". ": 1.0}, {"It is dry, so it is not the sea.": 1.0}]
    found = probabilities(positions, "choice", ["sea", "sand"])
    assert found["choices"] == pytest.approx({"sea": 0.3, "sand": 0.7})


def test_an_equation_has_the_probability_of_all_its_tokens() -> None:
    positions = [*plain("There are 12. The answer is")]
    positions += [{" (": 1.0}, {"12": 0.5}, {" +": 0.5}, {" 7": 0.8}, {")": 0.1}, {".": 1.0}]
    found = probabilities(positions, "equation")
    assert found == {"confidence": pytest.approx(0.2 * 0.1)}


def test_a_text_has_the_probability_of_its_words() -> None:
    positions = [*plain("The answer is"), {" blue": 0.5, " red": 0.5}, {" sky": 0.5}, {".": 0.1}]
    assert probabilities(positions, "text") == {"confidence": pytest.approx(0.25)}


def test_without_the_words_among_the_tokens_there_is_nothing() -> None:
    answer = task_named("labels").parse("So the answer is positive.", FEELINGS)
    tokens = read_tokens(logprobs({"something else": 1.0}))
    assert answer_probabilities(tokens, "So the answer is positive.", answer, FEELINGS) == {}


def feelings(count: int) -> list[Record]:
    return [
        {"id": f"f{n}", "input": f"Text {n}.", "label": "positive", "choices": FEELINGS,
         "task": "labels"}
        for n in range(count)
    ]  # fmt: skip


FELT = Act(
    text="So the answer is positive.",
    logprobs=logprobs(*plain("So the answer is"), {" positive": 0.6, " negative": 0.4}, {".": 1.0}),
)


def test_an_endpoint_is_asked_and_its_answer_is_kept(
    server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    server.default = FELT
    journal = tmp_path / "journal.db"
    for calls in (2, 2):  # the second run replays
        outcome = annotate(feelings(2), top_logprobs=5, journal=journal)
        assert len(server.calls) == calls
        for record in outcome.records:
            teacher = record["teacher"]
            shares = {"positive": 0.6, "negative": 0.4, "neutral": 0}
            assert teacher["choices"] == pytest.approx(shares)
            assert (teacher["confidence"], teacher["in_set_mass"]) == (0.6, 1.0)
        assert outcome.tally.with_confidence == 2
    body = server.calls[0].body
    assert (body["logprobs"], body["top_logprobs"]) == (True, 5)


def test_each_sample_has_its_own(server: FixtureServer, annotate: Annotate) -> None:
    server.default = FELT
    [record] = annotate(feelings(1), top_logprobs=5, samples=2).records
    assert [sample["confidence"] for sample in record["teacher"]["samples"]] == [0.6, 0.6]


def test_nothing_is_asked_or_written_without_the_option(
    server: FixtureServer, annotate: Annotate
) -> None:
    server.default = replace(FELT, logprobs=None)
    [record] = annotate(feelings(1)).records
    assert "logprobs" not in server.calls[0].body
    assert "confidence" not in record["teacher"]


def test_top_logprobs_of_the_options_are_in_range() -> None:
    options = AnnotateOptions(model="m", top_logprobs=0)
    with pytest.raises(Exception, match="--top-logprobs must be between 1 and 100, not 0"):
        options.check()


def test_a_server_without_log_probabilities_is_reported_once(server: FixtureServer) -> None:
    server.default = replace(FELT, logprobs=None)
    status, records, err = run(server, lines(feelings(3)), "--top-logprobs", "5")
    assert status == 0
    assert [record["teacher"]["label"] for record in records] == ["positive"] * 3
    assert err.count("returns no log-probabilities for fixture") == 1
    assert "leave --top-logprobs out" in err
    server.default = FELT
    status, _, err = run(server, lines(feelings(3)), "--top-logprobs", "6")
    assert "no log-probabilities" not in err
    assert "3 with the probability of the label" in err


def test_a_server_that_refuses_them_ends_the_run_with_what_to_leave_out(
    server: FixtureServer,
) -> None:
    message = "top_logprobs is not supported by this model"
    server.default = Act(
        status=400,
        error={"error": {"message": message, "param": "top_logprobs", "code": "unsupported_value"}},
    )
    status, records, err = run(server, lines(feelings(30)), "--top-logprobs", "5")
    assert (status, records) == (1, [])
    assert err.splitlines()[-1].endswith(f"{message}; leave --top-logprobs out, or change it"), err


def test_a_batch_asks_for_them_and_its_results_have_them(
    server: FixtureServer, tmp_path: Path
) -> None:
    asked = tmp_path / "requests.jsonl"
    options = ("--top-logprobs", "5", "--journal", str(tmp_path / "journal.db"))
    run(server, lines(feelings(1)), *options, "--emit-batch", asked)
    request = json.loads(asked.read_text())
    assert (request["body"]["logprobs"], request["body"]["top_logprobs"]) == (True, 5)
    assert FELT.text is not None
    body = complete(FELT.text, "fixture")
    body["choices"][0]["logprobs"] = FELT.logprobs
    result = {"custom_id": request["custom_id"], "response": {"status_code": 200, "body": body}}
    done = tmp_path / "results.jsonl"
    done.write_text(json.dumps(result) + "\n")
    status, [record], _ = run(server, lines(feelings(1)), *options, "--from-batch", done)
    assert (status, server.calls) == (0, [])
    assert record["teacher"]["confidence"] == 0.6


def test_choices_that_differ_in_case_have_probabilities_of_their_own() -> None:
    positions = [*plain("The answer is"), {" Co": 0.7, " CO": 0.3}, {".": 1.0}]
    found = probabilities(positions, "choice", ["Co", "CO", "He"])
    assert found["choices"] == {"Co": 0.7, "CO": 0.3, "He": 0.0}


SURE = {"positive": 0.9, "negative": 0.1}
UNSURE = {"positive": 0.2, "negative": 0.8}


def spaced(chances: Mapping[str, float]) -> dict[str, float]:
    return {f" {token}": chance for token, chance in chances.items()}


@pytest.mark.parametrize(
    ("positions", "rank"),
    [
        (
            [{'{"why": "A': 1.0}, spaced(UNSURE), {' tone.", "label": "': 1.0}, SURE, {'"}': 1.0}],
            "field",
        ),
        ([{'{"label": "': 1.0}, SURE, {'", "why": "A positive tone."}': 1.0}], "field"),
        ([{"A": 1.0}, spaced(UNSURE), {" tone, so \\boxed{": 1.0}, SURE, {"}.": 1.0}], "boxed"),
        (
            [{"The answer to the": 1.0}, spaced(UNSURE), {" review is": 1.0}, spaced(SURE),
             {", as its tone is positive.": 1.0}],
            "cue",
        ),
        ([{"<think>": 1.0}, UNSURE, {"</think>": 1.0}, SURE], "line"),
    ],
    ids=["field", "reasons behind", "box", "cue", "thoughts"],
)  # fmt: skip
def test_a_mention_in_the_reasons_is_not_the_label(positions: Positions, rank: str) -> None:
    text = "".join(next(iter(position)) for position in positions)
    assert task_named("labels").parse(text, FEELINGS).read_by == rank
    assert probabilities(positions, "labels", FEELINGS)["confidence"] == pytest.approx(0.9)


def test_a_word_that_begins_with_a_label_is_not_it() -> None:
    positions = [{"So the answer to the": 1.0}, {" northern": 0.9, " yes": 0.1}]
    positions += [{" question is": 1.0}, {" no": 0.75, " yes": 0.25}, {".": 1.0}]
    found = probabilities(positions, "labels", ["yes", "no"])
    assert found["choices"] == {"yes": 0.25, "no": 0.75}


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ("The answer is", ", because 8 + 3 = 11."),
        ('{"answer": "', '", "reasoning": "8 + 3 = 11"}'),
        ("As 110 / 10 and 211 - 200 agree, the answer is", "."),
        ("Both 8 + 3 and 11 + 0 are right, so \\boxed{", "}."),
    ],
)
def test_a_number_is_measured_where_it_is_the_answer(before: str, behind: str) -> None:
    token = " 11" if before.endswith("is") else "11"
    positions = [*plain(before), {token: 0.5, "12": 0.5}]
    positions += plain(behind)
    assert probabilities(positions, "equation") == {"confidence": 0.5}

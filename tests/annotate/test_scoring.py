"""Scoring every choice: probabilities from tokens, and over real HTTP."""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from mitools.annotate.client.journal import Journal
from mitools.annotate.dry_run import dry_run
from mitools.annotate.options import AnnotateOptions
from mitools.annotate.protocol import SCORED, Reply
from mitools.annotate.scoring import score
from mitools.annotate.token_logprobs import Token
from mitools.errors import TeacherError, UsageError
from mitools.reading.in_place import InPlace
from mitools.records import Record
from tests.annotate.conftest import Annotate
from tests.annotate.scored import ToyModel
from tests.annotate.test_cli import lines, run
from tests.server import Act, FixtureServer

FRUIT = ["apple", "apple pie", "green apple"]


def scored(*rows: Sequence[tuple[str, float]]) -> dict[str, object]:
    """Score one text a choice, of tokens with their probabilities."""
    choices = tuple(FRUIT[: len(rows)])
    texts = InPlace(choices, choices, 0, "", "")
    replies = [Reply(tokens=tuple(Token(text, math.log(p)) for text, p in row)) for row in rows]
    return score(texts, replies)


def test_a_choice_that_begins_or_ends_another_one_is_told_apart_by_what_follows() -> None:
    found = scored(
        [("is", 0.1), (" apple", 0.6), (".", 0.5), ("<end>", 0.9)],
        [("is", 0.1), (" apple", 0.6), (" pie", 0.4), (".", 1.0), ("<end>", 0.9)],
    )
    assert found == {
        "confidence": 0.555556,
        "choices": {"apple": 0.555556, "apple pie": 0.444444},
        "in_set_mass": 0.9,  # behind " apple", which both begin with
    }
    behind = scored(
        [("is", 0.1), (" apple", 0.2), (".", 1.0)],
        [("is", 0.1), (" apple", 0.2), (" pie", 0.5), (".", 1.0)],
        [("is", 0.1), (" green", 0.3), (" apple", 0.5), (".", 1.0)],
    )
    assert behind["choices"] == {"apple": 0.444444, "apple pie": 0.222222, "green apple": 0.333333}


def test_tokens_of_one_text_are_told_apart_by_their_numbers() -> None:
    """Parts of a character have no text of their own."""
    texts = InPlace(("é", "è"), ("é", "è"), 0, "", "")
    replies = [
        Reply(tokens=(Token("is", -1.0, number="5"), Token("", math.log(p), number=number)))
        for p, number in ((0.6, "7"), (0.2, "8"))
    ]
    assert score(texts, replies)["choices"] == {"é": 0.75, "è": 0.25}
    assert score(texts, [replies[0], replies[0]]) == {}
    assert score(texts, [replies[0], Reply()]) == {}


def questions(count: int = 1) -> list[Record]:
    return [
        {"id": f"q{n}", "input": f"What is {n}?", "choices": FRUIT, "label": "apple",
         "task": "choice"}
        for n in range(count)
    ]  # fmt: skip


CHANCES = {"a": 0.5, "b": 0.3, "c": 0.1}
SHARES = {"apple": 5 / 9, "apple pie": 3 / 9, "green apple": 1 / 9}
MODEL = ("It is round. So the answer is (a) apple.", CHANCES)


@pytest.mark.parametrize("way", ["chat", "completions"])
def test_a_run_scores_every_choice_once_and_replays_it_from_the_journal(
    way: str, server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    model = ToyModel(*MODEL)
    server.act = model.act
    journal = tmp_path / "journal.db"
    outcome = annotate(questions(2), score_choices=way, journal=journal)
    for record in outcome.records:
        teacher = record["teacher"]
        assert teacher["choices"] == pytest.approx(SHARES, abs=1e-6)
        assert teacher["confidence"] == pytest.approx(5 / 9, abs=1e-6)
        assert teacher["in_set_mass"] == pytest.approx(0.9)
        assert (teacher["label"], teacher["rationale"]) == ("apple", "It is round.")
        assert teacher["usage"]["completion_tokens"] == 4  # the answer, and one for each choice
    assert len(model.calls) == 1 + 2 * (1 + 3)  # a check, then each answer and its choices
    assert outcome.tally.replies == 2
    scoring = [body for _, body in model.calls[1:] if body.get("max_tokens") == 1]
    if way == "chat":
        said = [body["messages"][-1] for body in scoring]
        assert {one["role"] for one in said} == {"assistant"}
        assert all(body["add_generation_prompt"] is False for body in scoring)
    else:
        assert {path for path, body in model.calls if "prompt" in body} == {"/v1/completions"}
        said = [{"content": body["prompt"].rstrip("\n").split("\n\n")[-1]} for body in scoring]
    texts = [f"It is round. So the answer is ({letter}) apple." for letter in "abc"]
    assert sorted(one["content"] for one in said) == sorted([*texts, *texts])
    for options in ({}, {"is_offline": True}):
        again = annotate(questions(2), score_choices=way, journal=journal, **options)
        assert again.records == outcome.records
        assert not again.tally.spent
    assert len(model.calls) == 9
    with contextlib.closing(Journal(journal, is_read_only=True)) as stored:
        # Only the answers themselves are shown as replies of the teacher.
        assert sorted(record for record, _ in stored.keys_by_record()) == ["q0", "q1"]


@pytest.mark.parametrize("way", ["chat", "completions"])
def test_the_journal_keeps_the_answers_of_long_prompts_without_the_prompts(
    way: str, server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    long = ["sea", "a " + "very " * 60 + "wide road", "wood"]
    chances = {" sea": 0.4, " a": 0.1, " wood": 0.3}
    model = ToyModel("The answer is sea", chances)
    server.act = model.act
    records = [{**questions()[0], "choices": long, "label": "sea", "task": "labels"}]
    given = {"score_choices": way, "system": "Read with care. " * 1000}
    journal = tmp_path / "journal.db"
    [record] = annotate(records, journal=journal, **given).records
    assert list(record["teacher"]["choices"].values()) == [0.5, 0.125, 0.375]
    assert annotate(records, journal=journal, is_offline=True, **given).records == [record]
    with sqlite3.connect(journal) as stored:
        sizes = [size for (size,) in stored.execute("SELECT length(response) FROM responses")]
    assert len(sizes) == 4
    # Of 4,000 tokens of the prompt five bytes each are left, and seventy of those of an answer.
    assert max(sizes) < 4000 * 5 + 200 * 70


def test_nothing_is_scored_without_the_option_or_without_choices(
    server: FixtureServer, annotate: Annotate
) -> None:
    model = ToyModel(*MODEL)
    server.act = model.act
    annotate(questions())
    assert len(model.calls) == 1
    annotate([{"id": "x", "input": "?", "task": "text"}], score_choices="chat")
    assert len(model.calls) == 3  # the check, and the answer


def test_a_chat_template_writes_the_prompt_of_a_completions_api(
    server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    template = tmp_path / "chat_template.jinja"
    template.write_text(
        "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    )
    model = ToyModel(*MODEL)
    server.act = model.act
    given = {"score_choices": "completions", "chat_template": str(template), "system": "Be brief."}
    [record] = annotate(questions(), **given).records
    assert record["teacher"]["choices"] == pytest.approx(SHARES, abs=1e-6)
    prompt = model.calls[-1][1]["prompt"]
    assert prompt.startswith("<|system|>Be brief.<|end|><|user|>What is 0?")
    assert prompt.endswith(") apple.<|end|>")
    template.write_text("{{ raise_exception('only user and assistant') }}")
    with pytest.raises(UsageError, match="only user and assistant"):
        annotate(questions(), **given)
    template.write_text("{% for %}")
    with pytest.raises(UsageError, match=r"chat_template\.jinja:1"):
        annotate(questions(), **given)


def test_a_server_that_scores_in_neither_way_ends_the_run_before_an_answer_is_paid_for(
    server: FixtureServer,
) -> None:
    model = ToyModel(*MODEL, scores=())
    server.act = model.act
    for way, why, hint in (
        ("chat", "it returns no log-probabilities of the prompt", "use vLLM"),
        ("completions", "400: Only no echo is supported", "try --score-choices chat"),
    ):
        model.calls.clear()
        status, records, err = run(server, lines(questions(3)), "--score-choices", way)
        assert (status, records) == (1, [])
        last = err.splitlines()[-1]
        assert f"cannot score choices by its {way} API: {why}" in last
        assert hint in last
        assert len(model.calls) == 1


def test_the_words_of_llama_cpp_python_are_passed_on(server: FixtureServer) -> None:
    message = "logprobs is not supported for models created with logits_all=False"
    answers = ToyModel(*MODEL)

    def act(call: object) -> Act:
        if call.path.endswith("/chat/completions"):  # type: ignore[attr-defined]
            return answers.act(call)  # type: ignore[arg-type]
        return Act(status=500, error={"error": {"message": message, "type": "server_error"}})

    server.act = act
    status, _, err = run(server, lines(questions()), "--score-choices", "completions")
    assert status == 1
    assert message in err
    assert "--logits_all true" in err


def test_a_model_that_cannot_be_scored_is_not_taken_for_an_unknown_one(
    server: FixtureServer,
) -> None:
    message = "this model does not support prompt_logprobs"
    server.default = Act(status=400, error={"error": {"message": message}})
    status, _, err = run(server, lines(questions()), "--score-choices", "chat")
    assert status == 1
    assert f"cannot score choices by its chat API: 400: {message}" in err


@pytest.mark.usefixtures("quick")
def test_an_unknown_model_or_a_wrong_key_is_reported_as_without_scoring(
    server: FixtureServer,
) -> None:
    wrong = Act(status=404, error={"error": {"message": "model x does not exist"}})
    for act, words in ((wrong, "model x does not exist"), (Act(status=401), "scripted 401")):
        server.default = act
        for way in ("chat", "completions"):
            status, _, err = run(server, lines(questions()), "--score-choices", way)
            assert status in (1, 5)
            assert words in err
            assert "cannot score" not in err


@pytest.mark.usefixtures("quick")
def test_an_answer_whose_choices_cannot_be_scored_is_kept_and_counted(
    server: FixtureServer, annotate: Annotate
) -> None:
    model = ToyModel(*MODEL)

    def act(call: object) -> Act:
        body = call.body  # type: ignore[attr-defined]
        if "What is 1" in json.dumps(body) and body.get("max_tokens") == 1:
            return Act(status=400, error={"error": {"message": "the context is too long"}})
        return model.act(call)  # type: ignore[arg-type]

    server.act = act
    outcome = annotate(questions(3), score_choices="chat")
    assert outcome.labels == ["apple"] * 3
    assert ["choices" in record["teacher"] for record in outcome.records] == [True, False, True]
    assert "the choices of 1 could not be scored (400: the context is too long)" in " ".join(
        outcome.tally.lines()
    )


def test_a_dry_run_and_a_batch_count_the_scoring(server: FixtureServer, tmp_path: Path) -> None:
    estimate = dry_run(questions(4), AnnotateOptions(model="m", score_choices="chat")).estimate
    assert [getattr(estimate, name).calls for name in ("low", "expected")] == [4, 4 + 4 * 3]
    assert estimate.expected.completion_tokens == 4 * 100 + 4 * 3
    options = ("--score-choices", "chat", "--journal", tmp_path / "journal.db")
    model = ToyModel(*MODEL)
    server.act = model.act
    run(server, lines(questions(1)), "--journal", tmp_path / "journal.db")
    emitted = tmp_path / "requests.jsonl"
    status, _, err = run(server, lines(questions(1)), *options, "--emit-batch", emitted)
    assert status == 0, err
    asked = [json.loads(line) for line in emitted.read_text().splitlines()]
    assert [one["url"] for one in asked] == ["/v1/chat/completions"] * 3
    results = tmp_path / "results.jsonl"
    with results.open("w") as stream:
        for one in asked:
            call = type("Call", (), {"path": one["url"], "body": one["body"]})
            body = json.loads(model.act(call).raw or b"")  # type: ignore[arg-type]
            line = {"custom_id": one["custom_id"], "response": {"status_code": 200, "body": body}}
            stream.write(json.dumps(line) + "\n")
    status, [record], err = run(server, lines(questions(1)), *options, "--from-batch", results)
    assert status == 0, err
    assert record["teacher"]["choices"] == pytest.approx(SHARES, abs=1e-6)
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.db")) as journal:
        kept = journal.execute("SELECT record, sample FROM responses ORDER BY rowid").fetchall()
    assert kept == [(record["id"], 0), *[(record["id"], SCORED)] * 3]
    wrong = ("--score-choices", "completions", "--emit-batch", tmp_path / "x")
    status, _, err = run(server, lines(questions(1)), *wrong)
    assert status == 2
    assert "a batch holds requests of one API" in err


def test_the_options_go_together() -> None:
    def check(**given: object) -> None:
        AnnotateOptions(**{"model": "m", **given}).check()  # type: ignore[arg-type]

    with pytest.raises(UsageError, match='no score choices "echo"'):
        check(score_choices="echo")
    with pytest.raises(UsageError, match="--score-choices is for a teacher behind an endpoint"):
        check(teacher="demo", score_choices="chat")
    for given in ({}, {"score_choices": "chat"}):
        with pytest.raises(UsageError, match="--chat-template is for --score-choices completions"):
            check(chat_template="x", **given)


def test_an_unreachable_server_is_reported_once(annotate: Annotate, server: FixtureServer) -> None:
    with pytest.raises(TeacherError, match="cannot reach"):
        annotate(questions(), base_url="http://127.0.0.1:9/v1", score_choices="chat", retries=0)

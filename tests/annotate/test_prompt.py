"""What a teacher is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mitools.annotate.client.requests import Requests
from mitools.annotate.options import AnnotateOptions
from mitools.annotate.prompt import Prompts
from mitools.errors import InvalidFieldError, MissingFieldError, SourceError, UsageError
from mitools.tasks import TASK_NAMES, task_named

RECORD = {"id": "1", "input": "Where is it?", "choices": ["sea", "land"], "label": "sea"}

EXAMPLES = [
    {"input": "Q1", "choices": ["x", "y"], "label": "y", "rationale": "It fits."},
    {"input": "Q2", "choices": ["x", "y"], "teacher": {"label": "x", "rationale": "So be it."}},
]


def write_examples(tmp_path: Path) -> str:
    path = tmp_path / "examples.jsonl"
    path.write_text("".join(json.dumps(example) + "\n" for example in EXAMPLES))
    return str(path)


@pytest.mark.parametrize("name", TASK_NAMES)
def test_every_task_has_a_prompt_that_asks_for_what_it_reads(name: str) -> None:
    task = task_named(name)
    system, user = Prompts(AnnotateOptions()).messages(RECORD, task)
    assert system["role"] == "system"
    assert "nswer is" in system["content"]
    assert user["content"].startswith("Where is it?")
    assert task.parse(f"Why. {task.state('sea', RECORD['choices'])}", RECORD["choices"]).label in (
        "sea",
        None if name == "equation" else "sea",
    )


def test_choices_are_listed_by_letter_unless_the_input_lists_them() -> None:
    prompts, task = Prompts(AnnotateOptions()), task_named("choice")
    listed = prompts.messages(RECORD, task)[-1]["content"]
    assert listed == "Where is it?\n\n(a) sea\n(b) land"
    again = prompts.messages({**RECORD, "input": listed}, task)[-1]["content"]
    assert again == listed


def test_null_in_a_template_of_a_prompt_is_an_empty_text(tmp_path: Path) -> None:
    template = tmp_path / "ask.j2"
    template.write_text("{{ input }} {{ record.note }}.")
    prompts = Prompts(AnnotateOptions(template=str(template)))
    content = prompts.messages({**RECORD, "note": None}, task_named("choice"))[-1]["content"]
    assert content == "Where is it? ."


def test_examples_become_turns_that_the_task_can_read(tmp_path: Path) -> None:
    prompts, task = (
        Prompts(AnnotateOptions(examples=write_examples(tmp_path))),
        task_named("choice"),
    )
    messages = prompts.messages(RECORD, task)
    roles = [message["role"] for message in messages]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    assert messages[2]["content"] == "It fits. So the answer is (b) y."
    assert messages[4]["content"] == "So be it. So the answer is (a) x."
    assert task.parse(messages[2]["content"], ["x", "y"]).rationale == "It fits."


@pytest.mark.parametrize(
    ("task", "label", "sentence"),
    [
        ("equation", "( 84.0 / 2.0 )", "The answer is (84.0 / 2.0)."),
        ("equation", "1 + 2", "The answer is (1 + 2)."),
        ("equation", "(1 + 2) * (3 + 4)", "The answer is ((1 + 2) * (3 + 4))."),
        ("equation", "5", "The answer is 5."),
        ("labels", "neutral", "So the answer is neutral."),
        ("text", "Paris", "The answer is Paris."),
        ("choice", "moon", "So the answer is moon."),
    ],
)
def test_a_stated_label_is_read_back(task: str, label: str, sentence: str) -> None:
    one = task_named(task)
    choices = [label] if task == "labels" else None
    assert one.state(label, choices) == sentence
    assert one.is_equal(one.parse(f"Because of it. {sentence}", choices).label, label)


def test_the_hash_names_the_effective_prompt(tmp_path: Path) -> None:
    task = task_named("choice")
    plain = Prompts(AnnotateOptions()).prompt_hash(task)
    assert plain == Prompts(AnnotateOptions()).prompt_hash(task)
    template = tmp_path / "t.j2"
    template.write_text("{{ input }}")
    sources = [
        AnnotateOptions(system="Other."),
        AnnotateOptions(template=str(template)),
        AnnotateOptions(examples=write_examples(tmp_path)),
    ]
    hashes = {plain, *(Prompts(source).prompt_hash(task) for source in sources)}
    assert len(hashes) == 4


def test_an_empty_system_message_is_left_out() -> None:
    messages = Prompts(AnnotateOptions(system="")).messages(RECORD, task_named("text"))
    assert [message["role"] for message in messages] == ["user"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{{ input ", r"t\.j2:1: .*; fix the template"),
        ("{{ record.premise }}", "record '1': .*premise"),
        ("{{ input.__class__.__mro__ }}", "unsafe"),
    ],
    ids=["syntax", "undefined", "sandbox"],
)
def test_a_bad_template_is_a_usage_error(text: str, problem: str, tmp_path: Path) -> None:
    template = tmp_path / "t.j2"
    template.write_text(text)
    with pytest.raises(UsageError, match=problem):
        Prompts(AnnotateOptions(template=str(template))).messages(RECORD, task_named("text"))


def test_bad_examples_are_reported_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text('{"input": "a", "label": "b"}\n{"input": "c"}\n')
    with pytest.raises(MissingFieldError, match=r"e\.jsonl:2: .*label"):
        Prompts(AnnotateOptions(examples=str(path)))
    with pytest.raises(SourceError, match="check the path"):
        Prompts(AnnotateOptions(template=str(tmp_path / "none")))


def test_an_example_is_not_made_of_a_label_and_of_reasons_for_another(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    teacher = {"label": "x", "rationale": "So be it.", "agrees": False}
    missed = {"input": "Q", "choices": ["x", "y"], "label": "y", "teacher": teacher}
    path.write_text(f"{json.dumps(EXAMPLES[0])}\n{json.dumps(missed)}\n")
    with pytest.raises(InvalidFieldError, match=r'e\.jsonl:2: .*answer "x", and the label is "y"'):
        Prompts(AnnotateOptions(examples=str(path)))
    path.write_text(json.dumps({**missed, "rationale": "It fits."}))
    messages = Prompts(AnnotateOptions(examples=str(path))).messages(RECORD, task_named("choice"))
    assert messages[2]["content"] == "It fits. So the answer is (b) y."


def test_a_lone_surrogate_does_not_reach_the_wire() -> None:
    messages = Prompts(AnnotateOptions()).messages(
        {**RECORD, "input": "a\ud800b"}, task_named("text")
    )
    assert messages[-1]["content"] == "a\ufffdb"


def test_a_student_is_sent_the_input_alone() -> None:
    record = {**RECORD, "input": " Where {{ is }} it?\n"}
    prompts = Prompts(AnnotateOptions(prompt="student"))
    for name in TASK_NAMES:
        assert prompts.messages(record, task_named(name)) == [
            {"role": "user", "content": " Where {{ is }} it?\n"}
        ]


def test_a_student_can_be_asked_to_explain() -> None:
    prompts = Prompts(AnnotateOptions(prompt="student", system="explain"))
    messages = prompts.messages(RECORD, task_named("choice"))
    assert messages[0] == {"role": "system", "content": "explain"}
    assert messages[1:] == [{"role": "user", "content": "Where is it?"}]


def test_a_student_is_asked_at_temperature_0_unless_told_otherwise() -> None:
    asked = {
        temperature: Requests(
            AnnotateOptions(prompt="student", model="m", temperature=temperature)
        ).settings["temperature"]
        for temperature in (None, 0.7)
    }
    assert asked == {None: 0.0, 0.7: 0.7}
    assert "temperature" not in Requests(AnnotateOptions(model="m")).settings


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strategy": "star"}, "reads inputs only"),
        ({"template": "t.txt"}, "without --template"),
        ({"examples": "e.jsonl"}, "without --examples"),
        ({"teacher": "demo"}, "behind an endpoint"),
    ],
)
def test_what_a_student_cannot_be_shown_is_refused(options: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        AnnotateOptions(prompt="student", model="m", **options).check()  # type: ignore[arg-type]


def test_many_choices_are_numbered_behind_the_last_letter() -> None:
    choices = [f"word {number}" for number in range(30)]
    record = {"id": "1", "input": "Which?", "choices": choices, "task": "choice"}
    shown = Prompts(AnnotateOptions()).first_messages(record)[-1]["content"]
    assert "(z) word 25\n(27) word 26\n" in shown
    assert "{" not in shown
    task = task_named("choice")
    for choice in choices:
        assert task.parse(f"It fits. {task.state(choice, choices)}", choices).label == choice

"""The demo's stories: word problems of many steps, with sentences that do not matter.

A story says how many things a box holds at first, and then what happens to them, a sentence for
each step. Other sentences are about other things and numbers; they do not matter. For studies in
which a student that learns labels alone falls short: an answer needs all steps in their order, and
a rationale writes them down one by one.

What is held out, so that a student cannot pass by recalling its training records:

- **Names.** As in :mod:`mitools.demo.grammar`.
- **Solutions.** No expression that solves a test or valid problem solves one of another part.

The numbers are single digits, also after every step, so that a few hundred records show every sum
and a rationale of a small student can work them out.
"""

from __future__ import annotations

import functools
import random
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from mitools.demo.grammar import BOXES, NAMES, THINGS
from mitools.records import Record

__all__ = [
    "MOST_DISTRACTORS",
    "MOST_STEPS",
    "Answer",
    "StoryOptions",
    "solve_story",
    "story_problems",
]

MOST_STEPS = 8
MOST_DISTRACTORS = 4

Answer = Literal["equation", "value"]

_LARGEST = 9
"""The most that a box holds, at any step."""


@dataclass(frozen=True)
class StoryOptions:
    """Which stories to make.

    Attributes:
        steps: sentences that change the count, 1 to 8.
        distractors: sentences with a number that does not matter, 0 to 4.
        answer: ``value`` asks for a number; ``equation`` for the expression that gives it.
    """

    steps: int
    distractors: int = 0
    answer: Answer = "value"


class _Step(NamedTuple):
    """What happens to a count: an operation, and its number."""

    operation: str
    number: int

    def apply(self, count: int) -> int:
        """Return the count after this step; a half is taken of even counts only."""
        if self.operation == "+":
            return count + self.number
        if self.operation == "-":
            return count - self.number
        return count * self.number if self.operation == "*" else count // self.number


_START = "The {box} of {name} holds {number} {thing}."
_EVENTS: dict[str, tuple[str, ...]] = {
    "+": ("{number} are added.", "{number} more are found.", "{number} are put in."),
    "-": ("{number} are taken out.", "{number} are lost.", "{number} are given away."),
    "*": ("They become {number} times as many.",),
    "/": ("One of every {number} is kept.",),
}
_ASIDES = (
    "{name} has {number} at home.",
    "{name} looks for {number} others.",
    "The way home takes {number} minutes.",
    "The street has {number} trees.",
)
_QUESTIONS: dict[Answer, str] = {
    "value": "How many {thing} does the {box} hold now?",
    "equation": "Which expression gives the {thing} in the {box} now?",
}

# Of twenty records in a row one is for validation and one for the test, as in the grammar.
_PERIOD = 20
_PLACES = {4: "test", 14: "valid"}


def story_problems(n: int, seed: int, options: StoryOptions) -> Iterator[Record]:
    """Make ``n`` stories, of which one in twenty is in the valid and the test part each.

    A story depends on the options, the seed and its place alone, so a longer run begins with a
    shorter one.

    Args:
        n: how many; none where it is not positive.
        seed: another seed makes other stories.
        options: which ones.

    Yields:
        Records with ``id``, ``input``, ``label`` (a number, or an expression with its brackets),
        ``task``, ``split`` and ``type`` (the number of steps).
    """
    kind = f"{options.steps}.{options.distractors}.{options.answer}"
    for index in range(n):
        rng = random.Random(f"mitools demo story {kind} {seed} {index}")
        split = _PLACES.get(index % _PERIOD, "train")
        start, steps = _draw_solution(rng, options.steps, split)
        expression, count = _solution(start, steps)
        yield {
            "id": f"story-{kind}-{seed}-{index:06d}",
            "input": _tell(rng, split, start, steps, options),
            "label": expression if options.answer == "equation" else str(count),
            "task": "equation",
            "split": split,
            "type": f"steps-{options.steps}",
        }


def _part_of_solution(expression: str) -> str:
    """Say which part owns an expression: half of them train, a quarter each valid and test."""
    return ("test", "valid", "train", "train")[zlib.crc32(expression.encode()) % 4]


def _draw_solution(rng: random.Random, length: int, split: str) -> tuple[int, list[_Step]]:
    """Draw a start and steps whose expression belongs to the part."""
    while True:
        start = count = rng.randint(2, _LARGEST)
        steps = []
        for _ in range(length):
            step = rng.choice(_possible_steps(rng, count))
            count = step.apply(count)
            steps.append(step)
        if _part_of_solution(_solution(start, steps)[0]) == split:
            return start, steps


def _possible_steps(rng: random.Random, count: int) -> list[_Step]:
    """Draw one step of each operation that keeps the count from 1 to 9; there is always one."""
    steps = []
    if count >= 3:
        steps.append(_Step("-", rng.randint(2, count - 1)))
    if count + 2 <= _LARGEST:
        steps.append(_Step("+", rng.randint(2, _LARGEST - count)))
    for number in (2, 3):
        if count * number <= _LARGEST:
            steps.append(_Step("*", number))
        if count % number == 0:
            steps.append(_Step("/", number))
    # Adding and taking away are drawn more often: they are what most stories tell.
    return [step for step in steps for _ in range(3 if step.operation in "+-" else 1)]


def _solution(start: int, steps: list[_Step]) -> tuple[str, int]:
    """Write the expression of a story, in the style of the labels; and its value."""
    expression, count = str(start), start
    for step in steps:
        expression = f"( {expression} {step.operation} {step.number} )"
        count = step.apply(count)
    return expression, count


def _tell(
    rng: random.Random, split: str, start: int, steps: list[_Step], options: StoryOptions
) -> str:
    name, other = rng.sample(NAMES[split], 2)
    words = {"thing": rng.choice(THINGS), "box": rng.choice(list(BOXES.values()))}
    sentences = [rng.choice(_EVENTS[sign]).format(number=number) for sign, number in steps]
    for _ in range(options.distractors):
        aside = rng.choice(_ASIDES).format(name=other, number=rng.randint(2, 9))
        sentences.insert(rng.randint(0, len(sentences)), aside)
    begin = _START.format(name=name, number=start, **words)
    return " ".join((begin, *sentences, _QUESTIONS[options.answer].format(**words)))


def solve_story(text: str, seed: int, error_rate: float) -> str | None:
    """Solve a story by rule, from its text alone; None where the text is not a story.

    A wrong answer leaves the last step out.

    Args:
        text: a problem of :func:`story_problems`.
        seed: another seed makes the mistakes in other stories.
        error_rate: the share of stories solved wrongly, 0 to 1.

    Returns:
        Each step with what it gives, and then ``The answer is 9.`` or ``The answer is (7 + 2).``
    """
    understood = _understand(text.strip())
    if understood is None:
        return None
    start, steps, answer = understood
    if random.Random(f"mitools demo teacher {seed} {text}").random() < error_rate:
        steps = steps[:-1]
    lines, expression, count = [f"{start} at first."], str(start), start
    for sentence, step in steps:
        before, count = count, step.apply(count)
        expression = f"( {expression} {step.operation} {step.number} )"
        worked_out = f"{before} {step.operation} {step.number} = {count}"
        gives = expression if answer == "equation" else worked_out
        lines.append(f"{sentence.removesuffix('.')}: {gives}.")
    said = expression.replace("( ", "(").replace(" )", ")") if answer == "equation" else count
    return f"{' '.join(lines)} The answer is {said}."


def _understand(text: str) -> tuple[int, list[tuple[str, _Step]], Answer] | None:
    """Read a story sentence by sentence; None where one of them is not of a story.

    Returns:
        The number at first, the sentences that matter with their steps, and what is asked for.
    """
    begin = _begin_pattern().match(text)
    if begin is None:
        return None
    for answer, question in _QUESTIONS.items():
        end = f" {question.format(box=begin['box'], thing=begin['thing'])}"
        told = text[begin.end() : -len(end)].strip()
        if text.endswith(end) and told.endswith("."):
            found = [_read_sentence(f"{one.strip()}.") for one in told[:-1].split(".")]
            read = [one for one in found if one is not None]
            if len(read) < len(found):
                return None
            return int(begin["number"]), [one for one in read if one[1].operation], answer
    return None


def _read_sentence(sentence: str) -> tuple[str, _Step] | None:
    """Find the step of a sentence; one without an operation where it does not matter."""
    for operation, pattern in _sentence_patterns():
        if match := pattern.fullmatch(sentence):
            return sentence, _Step(operation, int(match["number"]))
    return None


_SLOTS = {"name": "[A-Z][a-z]+", "thing": "[a-z]+", "box": "[a-z]+", "number": "[1-9]"}


def _pattern(phrase: str) -> str:
    pieces = re.split(r"\{(\w+)\}", phrase)
    return "".join(
        f"(?P<{piece}>{_SLOTS[piece]})" if place % 2 else re.escape(piece)
        for place, piece in enumerate(pieces)
    )


@functools.cache
def _begin_pattern() -> re.Pattern[str]:
    return re.compile(_pattern(_START))


@functools.cache
def _sentence_patterns() -> list[tuple[str, re.Pattern[str]]]:
    phrases = [(sign, phrase) for sign, group in _EVENTS.items() for phrase in group]
    phrases += [("", phrase) for phrase in _ASIDES]
    return [(sign, re.compile(_pattern(phrase))) for sign, phrase in phrases]

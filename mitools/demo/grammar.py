"""The demo's problems of one and two steps, and a teacher that solves them by rule.

What is held out, so that a student cannot pass by recalling its training records:

- **Names.** The people of the train, valid and test parts are three disjoint sets.
- **Numbers.** Every problem holds a number from 10 to 399, and none of these in a valid or test
  problem occurs in any problem of another part. Single digits (2 to 9, the counts of boxes or
  friends) are shared, for there are only eight of them.

Every digit occurs in training at every place, and so do both halves of every name; every kind of
problem and every phrasing occurs in all three parts. There are many numbers so that a student has
to learn to copy: of the 90 from 10 to 99 alone, some students learned those of training by heart
and were wrong about others.

A label is an expression, and a rationale argues for an expression; neither works out its value. A
student of a million weights learns in minutes whom and what a problem is about, which operation it
asks for, and to copy numbers that it has never seen; it does not learn to reckon with them. With
steps such as ``12 + 7 = 19`` in the rationales, 7% of a student's sums were right where all its
labels were.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mitools.errors import TeacherError
from mitools.records import Record
from mitools.schema import SPLITS

__all__ = ["BOXES", "KINDS", "NAMES", "THINGS", "problems", "solve"]

# Made of two parts, as Ed-mund and Ed-win are: a student meets every part in training, and must
# still copy a name that it has never seen.
_NAME_BEGINS = """
    Al Am Ber Cor Dan Ed El Fer Ger Har Is Jor Kar Leo Lu Mar Nor Os Per Ro Sel Tor Ul Val Wil Zel
"""
_NAME_ENDS = """
    bert da dine ella fred gar ina lan mira mund nor ric sa tha ton via win wyn
"""

_THING_LIST = """
    apples balloons beads books buttons candles cards coins cookies cups flowers kites lemons
    marbles peaches pencils ribbons shells stamps stickers
"""

THINGS = _THING_LIST.split()
BOXES = {
    "bags": "bag",
    "baskets": "basket",
    "boxes": "box",
    "crates": "crate",
    "jars": "jar",
    "trays": "tray",
}


def _part_of_number(number: int) -> str:
    """Say which part owns a number, by a diagonal rule that spreads all digits over all parts."""
    hundreds, tens, ones = number // 100, number // 10 % 10, number % 10
    return {0: "test", 1: "valid", 5: "test"}.get((hundreds + tens + 3 * ones) % 10, "train")


def _part_of_name(begin: int, end: int) -> str:
    """Say which part owns a name, by the places of its halves in their lists."""
    return {0: "test", 6: "valid"}.get((begin + 5 * end) % 12, "train")


_NUMBERS = {part: [n for n in range(10, 400) if _part_of_number(n) == part] for part in SPLITS}
NAMES = {
    part: [
        begin + end
        for i, begin in enumerate(_NAME_BEGINS.split())
        for j, end in enumerate(_NAME_ENDS.split())
        if _part_of_name(i, j) == part
    ]
    for part in SPLITS
}

Slots = dict[str, int]
Draw = Callable[[random.Random, list[int]], Slots]


@dataclass(frozen=True)
class _Kind:
    """One kind of problem: how its numbers are drawn, what is asked, and how it is solved.

    Attributes:
        draw: chooses the numbers, the larger ones out of the part's own.
        right: the expression that solves it, in the style of the labels.
        wrong: the mistake that people make: an operation that was not asked for.
        phrasings: questions, each with the reason that leads to the expression.
    """

    draw: Draw
    right: str
    wrong: str
    phrasings: tuple[tuple[str, str], ...]


def _two(rng: random.Random, numbers: list[int]) -> Slots:
    a, b = rng.sample(numbers, 2)
    return {"a": a, "b": b}


def _larger_first(rng: random.Random, numbers: list[int]) -> Slots:
    b, a = sorted(rng.sample(numbers, 2))
    return {"a": a, "b": b}


def _times(rng: random.Random, numbers: list[int]) -> Slots:
    return {"k": rng.randint(2, 9), "a": rng.choice(numbers)}


def _shared(rng: random.Random, numbers: list[int]) -> Slots:
    k = rng.randint(2, 9)
    return {"a": rng.choice([a for a in numbers if a % k == 0 and a > k]), "k": k}


def _three(rng: random.Random, numbers: list[int]) -> Slots:
    return {**_two(rng, numbers), "k": rng.randint(2, 9)}


def _shared_rest(rng: random.Random, numbers: list[int]) -> Slots:
    while True:
        slots = _larger_first(rng, numbers)
        rest = slots["a"] - slots["b"]
        # A quotient of 2 could make the wrong expression come out right: 4 - 2 = 4 / 2.
        if divisors := [k for k in range(2, 10) if rest % k == 0 and rest // k > 2]:
            return {**slots, "k": rng.choice(divisors)}


KINDS: Mapping[str, _Kind] = {
    "add": _Kind(
        _two,
        "( {a} + {b} )",
        "( {larger} - {smaller} )",
        (
            (
                "{name} has {a} {thing}. {other} gives {name} {b} more {thing}. "
                "How many {thing} does {name} have now?",
                "{name} has {a} {thing} and gets {b} more, which makes {step}.",
            ),
            (
                "{name} found {a} {thing} and {other} found {b} {thing}. "
                "How many {thing} did they find together?",
                "{name} found {a} {thing} and {other} found {b}, so together they found {step}.",
            ),
            (
                "There were {a} {thing} on the table before {name} put {b} more there. "
                "How many {thing} are on the table now?",
                "There were {a} {thing} and {name} put {b} more, so there are {step} now.",
            ),
        ),
    ),
    "subtract": _Kind(
        _larger_first,
        "( {a} - {b} )",
        "( {a} + {b} )",
        (
            (
                "{name} had {a} {thing} and gave {b} of them to {other}. "
                "How many {thing} does {name} have left?",
                "{name} had {a} {thing} and gave {b} away, so {step} are left.",
            ),
            (
                "{name} has {a} {thing} and {other} has {b} {thing}. "
                "How many more {thing} does {name} have than {other}?",
                "{name} has {a} {thing} and {other} only {b}, so {name} has {step} more.",
            ),
            (
                "{name} needs {a} {thing} but has only {b}. "
                "How many {thing} must {name} still find?",
                "{name} needs {a} {thing} and has {b} of them, so {step} are missing.",
            ),
        ),
    ),
    "multiply": _Kind(
        _times,
        "( {k} * {a} )",
        "( {k} + {a} )",
        (
            (
                "{name} has {k} {boxes} with {a} {thing} in each {box}. "
                "How many {thing} does {name} have?",
                "{name} has {k} {boxes} of {a} {thing} each, which makes {step}.",
            ),
            (
                "{name} collects {a} {thing} every day. "
                "How many {thing} does {name} collect in {k} days?",
                "{name} collects {a} {thing} a day for {k} days, which makes {step}.",
            ),
        ),
    ),
    "divide": _Kind(
        _shared,
        "( {a} / {k} )",
        "( {a} - {k} )",
        (
            (
                "{name} shares {a} {thing} equally among {k} friends. "
                "How many {thing} does each friend get?",
                "{name} shares {a} {thing} among {k} friends, so each gets {step}.",
            ),
            (
                "{name} packs {a} {thing} into {boxes} of {k} {thing} each. "
                "How many {boxes} does {name} fill?",
                "{name} packs {a} {thing} with {k} in each {box}, which fills {step}.",
            ),
        ),
    ),
    "add-subtract": _Kind(
        lambda rng, numbers: {**_two(rng, numbers), "k": rng.randint(2, 9)},
        "( ( {a} + {b} ) - {k} )",
        "( ( {a} + {b} ) + {k} )",
        (
            (
                "{name} had {a} {thing}, got {b} more from {other}, and then lost {k} of them. "
                "How many {thing} does {name} have now?",
                "{name} had {a} {thing}, got {b} and lost {k}, which leaves {step}.",
            ),
        ),
    ),
    "multiply-add": _Kind(
        _three,
        "( ( {k} * {a} ) + {b} )",
        "( ( {k} + {a} ) + {b} )",
        (
            (
                "{name} has {k} {boxes} with {a} {thing} in each {box} and {b} more at home. "
                "How many {thing} does {name} have in total?",
                "{name} has {k} {boxes} of {a} {thing} each and {b} more, so {step} in total.",
            ),
        ),
    ),
    "subtract-divide": _Kind(
        _shared_rest,
        "( ( {a} - {b} ) / {k} )",
        "( ( {a} - {b} ) - {k} )",
        (
            (
                "{name} had {a} {thing}, gave {b} to {other}, and shared the rest among "
                "{k} friends. How many {thing} did each friend get?",
                "{name} had {a} {thing}, gave {b} away and shared the rest among {k} friends, "
                "so each got {step}.",
            ),
        ),
    ),
}

_PHRASINGS = [(kind, *phrasing) for kind in KINDS.values() for phrasing in kind.phrasings]

# Of twenty records in a row one is for validation and one for the test, from the first twenty on.
_PERIOD = 20
_PLACES = {4: "test", 14: "valid"}


def problems(n: int, seed: int) -> Iterator[Record]:
    """Make ``n`` word problems, of which one in twenty is in the valid and the test part each.

    A problem depends on the seed and its place alone, so a longer run begins with a shorter one.
    The parts share no name and no number above 9, whatever the seeds.

    Args:
        n: how many; none where it is not positive.
        seed: another seed makes other problems of the same kinds.

    Yields:
        Records with ``id``, ``input``, ``label`` (an expression such as ``( 12 + 7 )``), ``task``,
        ``split`` and ``type`` (a key of :data:`KINDS`).
    """
    for index in range(n):
        rng = random.Random(f"mitools demo problem {seed} {index}")
        split = _PLACES.get(index % _PERIOD, "train")
        name, kind = rng.choice(list(KINDS.items()))
        slots = kind.draw(rng, _NUMBERS[split])
        question, _ = rng.choice(kind.phrasings)
        yield {
            "id": f"demo-{seed}-{index:06d}",
            "input": question.format(**slots, **_words(rng, split)),
            "label": kind.right.format(**slots),
            "task": "equation",
            "split": split,
            "type": name,
        }


def _words(rng: random.Random, split: str) -> dict[str, str]:
    name, other = rng.sample(NAMES[split], 2)
    boxes = rng.choice(list(BOXES))
    thing = rng.choice(THINGS)
    return {"name": name, "other": other, "thing": thing, "boxes": boxes, "box": BOXES[boxes]}


def solve(text: str, seed: int, error_rate: float) -> str:
    """Solve a demo problem by rule, from its text alone, in the form in which LLMs answer.

    The same text and seed give the same answer; a text that is answered wrongly at one error rate
    is so at every higher one.

    Args:
        text: the problem, as :func:`problems` wrote it.
        seed: another seed makes the mistakes on other problems.
        error_rate: the share of problems solved with a wrong operation, 0 to 1.

    Returns:
        A reason that names the people, the things and the step (``( 12 + 7 )``), and then
        ``The answer is (12 + 7).`` The step is not worked out: see the module's docstring.

    Raises:
        TeacherError: the text is not a demo problem.
    """
    kind, reason, slots = _understand(text)
    is_wrong = random.Random(f"mitools demo teacher {seed} {text}").random() < error_rate
    expression = (kind.wrong if is_wrong else kind.right).format(**slots)
    answer = expression.replace("( ", "(").replace(" )", ")")
    return f"{reason.format(**slots, step=expression)} The answer is {answer}."


def _understand(text: str) -> tuple[_Kind, str, dict[str, str]]:
    """Find the phrasing that a text was made from, and what fills its slots."""
    for pattern, (kind, _, reason) in zip(_patterns(), _PHRASINGS, strict=True):
        if match := pattern.fullmatch(text.strip()):
            slots = match.groupdict()
            numbers = sorted((slots[key] for key in ("a", "b") if key in slots), key=int)
            slots |= {"smaller": numbers[0], "larger": numbers[-1]}
            if "boxes" in slots:
                slots["box"] = BOXES[slots["boxes"]]
            return kind, reason, slots
    raise TeacherError(
        f'the demo teacher cannot solve "{text[:60]}"',
        hint='name another teacher with "-m MODEL", or feed it "mitools load demo"',
    )


@functools.cache
def _patterns() -> list[re.Pattern[str]]:
    return [re.compile(_pattern(question)) for _, question, _ in _PHRASINGS]


def _pattern(question: str) -> str:
    """Turn a question into a regular expression that finds what fills its slots."""
    words = {"name": "[A-Z][a-z]+", "other": "[A-Z][a-z]+", "thing": "[a-z]+"}
    words |= {"boxes": "|".join(BOXES), "box": "|".join(BOXES.values())}
    pattern, seen = "", set()
    for piece in re.split(r"(\{\w+\})", question):
        slot = piece[1:-1] if piece.startswith("{") else ""
        if not slot:
            pattern += re.escape(piece)
        elif slot in seen:
            pattern += f"(?P={slot})"
        else:
            seen.add(slot)
            pattern += f"(?P<{slot}>{words.get(slot, '[1-9][0-9]{0,5}')})"
    return pattern

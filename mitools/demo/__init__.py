"""The built-in demo: word problems from seeded grammars, and a teacher that solves them by rule.

- ``grammar``: problems of one and two steps, with large numbers to copy; the default.
- ``stories``: problems of many steps, with sentences that do not matter, for studies.

Only words and rules are here; reading records and calling teachers belong to the stages.
"""

from __future__ import annotations

from mitools.demo import grammar, stories
from mitools.demo.grammar import KINDS, problems
from mitools.demo.stories import StoryOptions, story_problems

__all__ = ["KINDS", "StoryOptions", "problems", "solve", "story_problems"]


def solve(text: str, seed: int, error_rate: float) -> str:
    """Solve a demo problem by rule, from its text alone, in the form in which LLMs answer.

    The same text and seed give the same answer; a text that is answered wrongly at one error rate
    is answered wrongly at every higher one.

    Args:
        text: the problem, as :func:`problems` or :func:`story_problems` wrote it.
        seed: another seed makes the mistakes on other problems.
        error_rate: the share of problems solved wrongly, 0 to 1.

    Returns:
        A rationale and then a sentence such as ``The answer is (12 + 7).``

    Raises:
        TeacherError: the text is not a demo problem.
    """
    return stories.solve_story(text, seed, error_rate) or grammar.solve(text, seed, error_rate)

"""Detection of rationales that refer to an answer that was given to their writer.

A student that learns such words learns to refer to a hint that it will not have.
"""

from __future__ import annotations

import re

__all__ = ["says_it_was_told"]

# At most four adjectives: without a bound, matching a long run of them takes quadratic time.
_ANSWER = (
    r"(?:(?:correct|right|true|final|gold|actual|given|provided|stated|known)\s){0,4}"
    r"(?:answer|label)"
)
_TOLD = r"(?:given|told|provided|stated|supplied|known|informed|revealed)"
_LEAK = re.compile(
    rf"""
      \b hints? \b (?! \s+ (?:of|at) \b)
    | \b (?:answer|solution) \s key \b
    | \b gold(?:en)? [\s-] (?:answer|label|standard) \b
    | \b (?:as|was|were|is|are|been|being|already) \s {_TOLD} \s (?:in|by|that|to|as) \s
      (?:the \s)? (?:{_ANSWER}|prompt|me|us|instructions?) \b
    | \b (?:given|provided|stated|supplied|known) \s {_ANSWER} \b
    | \b {_ANSWER} \s (?:is|was|has \s been|had \s been) \s (?:already \s)? {_TOLD} \b
    | \b (?:i|we) \s (?:was|were|am|are|have \s been) \s {_TOLD} \s
      (?:that \s)? (?:the \s)? {_ANSWER} \b
    | \b (?:i|we) \s know \s (?:that \s)? the \s {_ANSWER} \b
    | \b (?:since|because|given \s that|knowing \s (?:that)?) \s (?:the \s)? {_ANSWER} \s is \b
    | \b according \s to \s the \s {_ANSWER} \b
    """,
    re.IGNORECASE | re.VERBOSE,
)


def says_it_was_told(text: str) -> bool:
    """Tell whether a text refers to a given answer or hint."""
    return _LEAK.search(" ".join(text.split())) is not None

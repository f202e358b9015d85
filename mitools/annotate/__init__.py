"""annotate: let a teacher answer and explain each record.

Records go through a :class:`Run`, which asks a :class:`Teacher` what a strategy wants to know.
Only ``transport`` knows the openai package; importing this package does not import it.
"""

from mitools.annotate.protocol import Answered, Problem, Question, Reply, Teacher, UnaskedError
from mitools.annotate.run import Run, RunOptions, StoppedError
from mitools.annotate.strategy import Strategy
from mitools.annotate.tally import Tally

__all__ = [
    "Answered",
    "Problem",
    "Question",
    "Reply",
    "Run",
    "RunOptions",
    "StoppedError",
    "Strategy",
    "Tally",
    "Teacher",
    "UnaskedError",
]

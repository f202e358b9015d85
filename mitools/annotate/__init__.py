"""annotate: let a teacher answer and explain each record.

Records go through an :class:`AnnotationRun`, which asks a :class:`Teacher` what a strategy wants
to know.
Only ``transport`` knows the openai package; importing this package does not import it.
"""

from mitools.annotate.protocol import Answered, Problem, Question, Reply, Teacher, UnaskedError
from mitools.annotate.run import AnnotationRun, RunOptions, StoppedError
from mitools.annotate.strategy import Strategy
from mitools.annotate.tally import Tally

__all__ = [
    "AnnotationRun",
    "Answered",
    "Problem",
    "Question",
    "Reply",
    "RunOptions",
    "StoppedError",
    "Strategy",
    "Tally",
    "Teacher",
    "UnaskedError",
]

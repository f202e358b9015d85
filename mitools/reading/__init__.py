"""Reading the answer that a text states, or leaving it unread.

Four steps, the same for live replies, batches, replayed files and fields of records:

1. :mod:`~mitools.reading.clean` removes thoughts and chat tokens (``characters``: one form for
   many spellings of a character).
2. :mod:`~mitools.reading.cut` ends the text where another example begins.
3. :mod:`~mitools.reading.locate` finds the places that may state an answer, the surest first
   (``fields``: JSON and tags; ``cues``: "the answer is", with ``languages`` other than English;
   ``sentences``: where a sentence ends).
4. The reader of the task reads the label there: :mod:`~mitools.reading.numbers` (with ``tokens``,
   ``notation``, ``number_words`` and ``arithmetic``), :mod:`~mitools.reading.choices` (with
   ``options``: which possible answer a text is; ``apart``: choices that look alike;
   ``in_place``: each choice in the place of the one that a text names;
   ``scripts``: languages without spaces between words) or
   :mod:`~mitools.reading.texts`.

:mod:`~mitools.reading.read` runs the steps (``doubts``: answers that are taken back; ``reasons``:
the rationale; ``places``: where the words of an answer stand); :mod:`~mitools.reading.answer` holds
the types that pass between them. The text is untrusted: nothing in it is evaluated, and the time
grows linearly with its length. The rest of the package calls :mod:`mitools.tasks`, which calls this
package.
"""

from mitools.reading.answer import RANKS, Answer, How, Support
from mitools.reading.clean import clean
from mitools.reading.cut import template_headers
from mitools.reading.read import own_text, read_completion

__all__ = [
    "RANKS",
    "Answer",
    "How",
    "Support",
    "clean",
    "own_text",
    "read_completion",
    "template_headers",
]

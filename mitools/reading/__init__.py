"""Reading the answer that a text states, or leaving it unread.

Four steps, the same for live replies, batches, replayed files and fields of records:

- :mod:`~mitools.reading.clean`: thoughts and chat tokens off (``characters``: one form for each)
- :mod:`~mitools.reading.cut`: end where another example begins
- :mod:`~mitools.reading.locate`: the places that may state an answer, the surest first (``fields``:
  JSON and tags; ``cues``: "the answer is"; ``sentences``: where one ends)
- the readers of each task: :mod:`~mitools.reading.numbers` (with ``tokens``, ``notation`` and
  ``number_words``), :mod:`~mitools.reading.choices`, :mod:`~mitools.reading.texts`

:mod:`~mitools.reading.read` runs them; :mod:`~mitools.reading.answer` is what they exchange. All of
it works on hostile text: nothing is evaluated, and the work grows with the length and no faster.
:mod:`mitools.tasks` is the door to it for the rest of the package.
"""

from mitools.reading.answer import RANKS, Answer, How
from mitools.reading.clean import clean
from mitools.reading.cut import headers_in
from mitools.reading.read import own_text, read_completion

__all__ = ["RANKS", "Answer", "How", "clean", "headers_in", "own_text", "read_completion"]

"""A dialogue carried as far as the answers at hand carry it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mitools.annotate.protocol import Answered, Dialogue, Question, Reply

__all__ = ["Conversation"]

Recall = Callable[[Question], Reply | None]


class Conversation:
    """One record's questions and replies.

    Attributes:
        answered: the outcome, once there is nothing more to ask.
    """

    def __init__(self, dialogue: Dialogue, recall: Recall) -> None:
        """Begin, and go on until an answer is not at hand.

        Args:
            dialogue: what is asked.
            recall: gives a reply at once, or None.
        """
        self.answered: Answered | None = None
        self._dialogue = dialogue
        self._recall = recall
        self._questions: Sequence[Question] = ()
        self._replies: list[Reply | None] = []
        self._advance(None)

    @property
    def open(self) -> list[Question]:
        """The questions that have to be asked; they may be asked at once."""
        pairs = zip(self._questions, self._replies, strict=True)
        return [question for question, reply in pairs if reply is None]

    def supply(self, fresh: Sequence[Reply]) -> None:
        """Go on with replies to the open questions, in their order."""
        waiting = iter(fresh)
        replies = [next(waiting) if reply is None else reply for reply in self._replies]
        self._advance(replies)

    def _advance(self, replies: Sequence[Reply] | None) -> None:
        try:
            while True:
                if replies is None:
                    self._questions = next(self._dialogue)
                else:
                    self._questions = self._dialogue.send(replies)
                self._replies = [self._recall(question) for question in self._questions]
                replies = [reply for reply in self._replies if reply is not None]
                if len(replies) < len(self._replies):
                    return
        except StopIteration as done:
            self._questions, self._replies = (), []
            self.answered = done.value

"""One record's questions and replies: continues as far as replies are available."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mitools.annotate.protocol import Answered, Dialogue, Question, Reply

__all__ = ["Conversation"]

Recall = Callable[[Question], Reply | None]


class Conversation:
    """One record's questions and replies.

    Attributes:
        answered: the outcome, once all questions are answered.
    """

    def __init__(self, dialogue: Dialogue, recall: Recall) -> None:
        """Start, and continue until a reply is not available.

        Args:
            dialogue: the strategy's generator of questions.
            recall: returns a reply that is available without waiting, else None.
        """
        self.answered: Answered | None = None
        self._dialogue = dialogue
        self._recall = recall
        self._questions: Sequence[Question] = ()
        self._replies: list[Reply | None] = []
        self._advance(None)

    @property
    def open(self) -> list[Question]:
        """The questions without a reply; they may be asked concurrently."""
        pairs = zip(self._questions, self._replies, strict=True)
        return [question for question, reply in pairs if reply is None]

    def supply(self, fresh: Sequence[Reply]) -> None:
        """Continue with replies to the open questions, in their order."""
        waiting = iter(fresh)
        replies = [next(waiting) if reply is None else reply for reply in self._replies]
        self._advance(replies)

    def _advance(self, replies: Sequence[Reply] | None) -> None:
        """Send replies to the dialogue, and recall those to its next questions, until one lacks."""
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

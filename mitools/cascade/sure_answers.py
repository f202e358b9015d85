"""A front that answers what the student is sure of; the teacher is asked about the rest."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mitools.annotate.notices import Notices
from mitools.annotate.protocol import Answered, ToTeacher
from mitools.records import Record

if TYPE_CHECKING:
    from mitools.cascade.ask_student import AskedRecord, AskingStudent

__all__ = ["SureAnswers"]


class SureAnswers:
    """Routes records by the student's confidence; a :class:`~mitools.annotate.protocol.Front`.

    Batches are made of the records in their order, so that the same input gives the same batches.

    Attributes:
        student: is asked first.
    """

    def __init__(
        self, student: AskingStudent, batch_size: int, notices: Notices | None = None
    ) -> None:
        """Prepare to route.

        Args:
            student: is asked first.
            batch_size: records given to it at once.
            notices: receive one warning where records are of another task than those that the
                threshold of the operating point was chosen on. Leave it out for another threshold.
        """
        self.student = student
        self._notices = notices
        self._batch_size = batch_size
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()

    def route(self, records: Iterator[Record]) -> Iterator[ToTeacher | Answered]:
        """Yield each record, answered by the student or for the teacher.

        Raises:
            StudentError: the student gave no usable number.
        """
        while not self._stopped.is_set():
            batch, error = self._next_batch(records)
            if self._stopped.is_set() and error is not None:
                raise error
            yield from self._decide(batch)
            if error is not None:  # after all records that were read before it
                raise error
            if len(batch) < self._batch_size:
                return

    def _next_batch(self, records: Iterator[Record]) -> tuple[list[Record], Exception | None]:
        """Read a whole batch, or what there is before an error of reading."""
        batch: list[Record] = []
        try:
            for record in records:
                batch.append(record)
                if len(batch) == self._batch_size:
                    break
        except Exception as exc:
            return batch, exc
        return batch, None

    def _decide(self, batch: list[Record]) -> Iterator[ToTeacher | Answered]:
        if not batch:
            return
        asked = self.student.ask(batch)
        self._compare_tasks(asked)
        sure = [one for one in asked if self.student.is_sure(one)]
        answers = iter(self.student.answered(sure) if sure else ())
        for one in asked:
            if self.student.is_sure(one):
                yield next(answers)
            else:
                about = {"by": "teacher", "student_confidence": one.written_confidence}
                yield ToTeacher(one.record, about)

    def _compare_tasks(self, batch: list[AskedRecord]) -> None:
        """Warn about the first record of another task than that of the operating point."""
        point = self.student.asking.point
        if self._notices is None or point is None:
            return
        for asked in batch:
            if asked.task is not None and asked.task.name != point.task:
                self._notices.warn(
                    f'record "{asked.record.get("id", "")}" has the task {asked.task.name}, and '
                    f"the threshold was chosen on the task {point.task}: how often sure answers "
                    'are right is not known; choose it again ("mitools eval --target-accuracy") '
                    'or set it ("--threshold")'
                )
                self._notices = None  # one warning is enough
                return

"""Short texts as answers."""

from __future__ import annotations

import pytest

from mitools.tasks import task_named

TEXT = task_named("text")


@pytest.mark.parametrize(
    ("completion", "label"),
    [
        ("The answer is Lima.", "Lima"),
        ("It is in Peru. The answer is **Lima**.", "Lima"),
        ("The answer is Dr. Smith.", "Dr. Smith"),
        ("The answer is J. R. R. Tolkien. He wrote it.", "J. R. R. Tolkien"),
        ('The answer is "A Hard Day".', "A Hard Day"),
        ("The answer is g{y}.", "g{y}"),
        ("The answer is 3 June 1999.", "3 June 1999"),
        ("The answer is simple: Lima.", "Lima"),
        ("Answer: Lima", "Lima"),
        ("Lima", "Lima"),
        ("Antwort: Lima", "Lima"),
        ("The answer is Lima. This answer is correct.", "Lima"),
        ("The answer is not Lima.", None),
        ("It is a city. It is large.", None),
    ],
)
def test_texts_are_read_as_they_stand(completion: str, label: str | None) -> None:
    assert TEXT.parse(completion).label == label

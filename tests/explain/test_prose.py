"""Texts of records as styled text."""

from __future__ import annotations

import re
import time

from mitools.explain.prose import Prose

ESCAPES = "\x1b[2J\u202ea\tb"


def styled(prose: Prose, text: str, **options: tuple[int, int]) -> list[tuple[str, str]]:
    rendered = prose.render(text, **options)
    return [(rendered.plain[span.start : span.end], str(span.style)) for span in rendered.spans]


def test_words_that_decide_and_matches_are_marked() -> None:
    prose = Prose(pattern=re.compile("is 7"))
    found = styled(prose, "The answer is 7. Good.", decided=(4, 16))
    assert ("answer ", "bold underline") in found
    assert ("is 7", "bold underline reverse") in found
    assert (".", "bold underline") in found


def test_control_characters_are_escaped_around_marks_too() -> None:
    text = Prose().render(f"{ESCAPES}x{ESCAPES}", decided=(7, 8)).plain
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert text.count("\\x1b[2J\\u202ea") == 2


def test_differences_escape_both_texts() -> None:
    text = Prose().difference(f"one {ESCAPES}", f"two {ESCAPES}").plain
    assert "\x1b" not in text
    assert "[-one-] {+two+}" in text


def test_shared_words_between_differences_are_left_out() -> None:
    shared = " ".join(f"w{n}" for n in range(200))
    text = Prose().difference(f"a {shared} b", f"c {shared} d").plain
    assert "[-a-] {+c+} w0 " in text
    assert "w199 [-b-] {+d+}" in text
    assert " … 176 equal words … " in text
    assert "w100" in Prose(is_full=True).difference(f"a {shared}", f"b {shared}").plain


def test_blank_lines_do_not_fill_the_screen() -> None:
    assert Prose().render("a" + "\n" * 60 + "b").plain == "a\n\nb"
    assert Prose(is_full=True).render("a" + "\n" * 60 + "b").plain.count("\n") == 60


def test_many_matches_take_little_time() -> None:
    text = "ab " * 30_000
    start = time.process_time()
    Prose(is_full=True, pattern=re.compile("a")).render(text)
    assert time.process_time() - start < 5

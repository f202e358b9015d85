"""How a view looks, to the character."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from mitools.escape import visible
from mitools.explain.build_view import view_of
from mitools.explain.terminal import Terminal

EQUATION: dict[str, Any] = {
    "id": "svamp-7",
    "input": "Luke had 12 apples.\nHe picked 7 more. How many apples does he have now, if he eats "
    "none on the way?",
    "label": "( 12.0 + 7.0 )",
    "task": "equation",
    "split": "test",
    "teacher": {
        "label": "12 + 7",
        "rationale": "Luke had 12 apples and picked 7 more, so he has 12 + 7 = 19 apples. "
        "He eats none.",
    },
    "student": {
        "label": "( 12.0 - 7.0 )",
        "rationale": "Luke had 12 apples. So 12 + 7 = 18.",
        "confidence": 0.41,
    },
}
CHOICE: dict[str, Any] = {
    "id": "cqa-1",
    "input": "Where do fish live?",
    "label": "sea",
    "choices": ["tree", "sea", "a very long choice that is cut short", "car"],
    "student": {
        "label": "sea",
        "rationale": "Fish swim in the sea.",
        "confidence": 0.72,
        "choices": {
            "tree": 0.2,
            "sea": 0.72,
            "a very long choice that is cut short": 0.07,
            "car": 0.01,
        },
    },
}
EVERYTHING: dict[str, Any] = {
    **CHOICE,
    "rationale": "Fish need water, and there is a lot of it in the sea.",
    "teacher": {"label": "sea", "rationale": "Of the above choices, only the sea is water."},
}
HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07 \r\b [red]not markup[/red] :smile: \x9b31m \u202eabc\u2028 \ud800"
)


def shown(record: dict[str, Any], width: int = 80, **options: Any) -> str:
    return Terminal(width, **options).render(view_of(record))


def test_at_80_columns_the_sides_are_stacked() -> None:
    assert shown(EQUATION) == (
        "── ✗ wrong ── 1 · svamp-7 ─────────────────────────────────── test · equation ──\n"
        "✗ inconsistent   ! wrong step   ! low confidence   ! differs from teacher\n"
        "\n"
        "Luke had 12 apples.\n"
        "He picked 7 more. How many apples does he have now, if he eats none on the way?\n"
        "\n"
        "gold       ( 12.0 + 7.0 )\n"
        "\n"
        "teacher ✓  12 + 7\n"
        "           Luke had 12 apples and picked 7 more, so he has 12 + 7 = 19 apples.\n"
        "           He eats none.\n"
        "           ✓ 12 + 7 = 19\n"
        "           → supports its own answer\n"
        "\n"
        "student ✗  ( 12.0 - 7.0 )   confidence 41%\n"
        "           Luke had 12 apples. So 12 + 7 = 18.\n"
        "           ✗ 12 + 7 = 18 (is 19)\n"
        "           → supports 12 + 7, gold's and teacher's answer\n"
        "\n"
    )


def test_a_confidence_that_does_not_fit_beside_its_label_has_a_line_of_its_own() -> None:
    record = json.loads(json.dumps(EQUATION))
    record["student"]["label"] = "( 1 + 2 + 3 + 4 + 5 + 6 + 7 )"
    text = shown(record, 100)
    line = next(line for line in text.splitlines() if "( 1 + 2 +" in line)
    assert line.endswith("( 1 + 2 + 3 + 4 + 5 + 6 + 7 )")
    assert text.splitlines()[text.splitlines().index(line) + 1].endswith("confidence 41%")


def test_at_140_columns_they_stand_side_by_side() -> None:
    rows = (
        ("gold", "teacher ✓", "student ✗"),
        ("( 12.0 + 7.0 )", "12 + 7", "( 12.0 - 7.0 )   confidence 41%"),
        (
            "",
            "Luke had 12 apples and picked 7 more, so he has 12 + 7 = 19",
            "Luke had 12 apples. So 12 + 7 = 18.",
        ),
        ("", "apples. He eats none.", "✗ 12 + 7 = 18 (is 19)"),
        ("", "✓ 12 + 7 = 19", "→ supports 12 + 7, gold's and teacher's answer"),
        ("", "→ supports its own answer", ""),
    )
    sides = "\n".join(f"{gold:17}{teacher:63}{student}".rstrip() for gold, teacher, student in rows)
    assert shown(EQUATION, 140) == (
        f"── ✗ wrong ── 1 · svamp-7 {'─' * 95} test · equation ──\n"
        "✗ inconsistent   ! wrong step   ! low confidence   ! differs from teacher\n"
        "\n"
        "Luke had 12 apples.\n"
        "He picked 7 more. How many apples does he have now, if he eats none on the way?\n"
        "\n"
        f"{sides}\n"
        "\n"
    )


def test_choices_have_bars() -> None:
    assert shown(CHOICE) == (
        "── ✓ right ── 1 · cqa-1 ────────────────────────────────────────────── choice ──\n"
        "✓ consistent\n"
        "\n"
        "Where do fish live?\n"
        "\n"
        "gold       sea\n"
        "\n"
        "student ✓  sea\n"
        "           tree                    ████▊                     20%\n"
        "           sea                     █████████████████▎        72%  gold, student\n"
        "           a very long choice tha… █▋                         7%\n"
        "           car                     ▎                          1%\n"
        "           Fish swim in the sea.\n"
        "           → supports its own answer\n"
        "\n"
    )


def test_ways_of_answering_stand_side_by_side() -> None:
    answers = {
        "predict": {"label": "tree", "confidence": 0.6},
        "conclude": {"label": "sea", "confidence": 0.801},
        "both": {"label": "sea", "confidence": 0.7},
    }
    student = {"label": "sea", "confidence": 0.7, "answered_by": "both", "answers": answers}
    assert shown({**CHOICE, "student": student}).split("\n\n")[3] == (
        "student ✓  sea   confidence 70%\n"
        "           predict  ✗ tree   60%\n"
        "           conclude ✓ sea    80%\n"
        "           both     ✓ sea    70%  ← its answer"
    )
    unknown = {"conclude": {"label": None}}
    record = {"id": "x", "input": "?", "student": {"label": None, "answers": unknown}}
    assert "conclude no readable answer\n" in shown(record)


def test_what_bars_do_not_say_stands_below_them() -> None:
    student = {**CHOICE["student"], "in_set_mass": 0.031, "decoded": "ca\x1br"}
    record = {**CHOICE, "student": student}
    assert "           the choices have 3% of the probability mass\n" in shown(record)
    assert "           decoded label: ca\\x1br\n" in shown(record)
    assert "! decoded label differs" in shown(record)
    for mass, told in ((0.5, False), (0.004, True), (0.0, True)):
        text = shown({**CHOICE, "student": {**student, "in_set_mass": mass}})
        assert ("have less than 1% of the" in text) is told


def test_the_sides_stand_side_by_side_from_100_columns_on() -> None:
    assert "\nteacher ✓  12 + 7\n" in shown(EQUATION, 99)
    assert re.search("\ngold +teacher ✓ +student ✗\n", shown(EQUATION, 100))


def test_in_a_narrow_column_a_bar_keeps_to_its_line() -> None:
    lines = [line[74:] for line in shown(EVERYTHING, 108).splitlines()]
    assert "tree        ██          20%" in lines
    assert "sea         ███████▎    72%  gold" in lines
    assert "a very lon… ▊            7%" in lines


SECOND: dict[str, Any] = {
    **EQUATION,
    "student": {"label": "( 12.0 + 7.0 )", "rationale": "12 + 7 = 19.", "confidence": 0.93},
}


def test_two_students_stand_side_by_side_where_only_two_can() -> None:
    text = Terminal(80).render(view_of(EQUATION, others=[SECOND]))
    assert text == (
        "── ✗ wrong ── 1 · svamp-7 ─────────────────────────────────── test · equation ──\n"
        "✗ inconsistent   ! wrong step   ! low confidence   ! differs from teacher\n"
        "✓ fixed by second\n"
        "\n"
        "Luke had 12 apples.\n"
        "He picked 7 more. How many apples does he have now, if he eats none on the way?\n"
        "\n"
        "gold       ( 12.0 + 7.0 )\n"
        "\n"
        "teacher ✓  12 + 7\n"
        "           Luke had 12 apples and picked 7 more, so he has 12 + 7 = 19 apples.\n"
        "           He eats none.\n"
        "           ✓ 12 + 7 = 19\n"
        "           → supports its own answer\n"
        "\n"
        "student ✗                                second ✓\n"
        "( 12.0 - 7.0 )   confidence 41%          ( 12.0 + 7.0 )   confidence 93%\n"
        "Luke had 12 apples. So 12 + 7 = 18.      12 + 7 = 19.\n"
        "✗ 12 + 7 = 18 (is 19)                    ✓ 12 + 7 = 19\n"
        "→ supports 12 + 7, gold's, teacher's     → supports its own answer\n"
        "and second's answer\n"
        "\n"
    )


def test_all_four_stand_side_by_side_where_there_is_room_and_below_each_other_where_not() -> None:
    view = view_of(EQUATION, others=[SECOND])
    assert re.search("\ngold +teacher ✓ +student ✗ +second ✓\n", Terminal(140).render(view))
    stacked = Terminal(70).render(view)
    assert "\nstudent ✗  ( 12.0 - 7.0 )   confidence 41%\n" in stacked
    assert "\nsecond  ✓  ( 12.0 + 7.0 )   confidence 93%\n" in stacked


def test_what_a_second_student_changed_is_said() -> None:
    def told(second: dict[str, Any]) -> str:
        return Terminal(140).render(view_of(EQUATION, others=[{**EQUATION, "student": second}]))

    assert "! changed by second" in told({"label": "12 * 7"})
    assert "by second" not in told({"label": "5"})
    back = view_of(SECOND, others=[{**EQUATION, "scores": {}}])
    assert "✗ broken by second" in Terminal(140).render(back)


@pytest.mark.parametrize("width", [40, 57, 71, 80, 99, 110, 140, 200])
def test_no_line_of_two_students_is_wider_than_asked_for(width: int) -> None:
    view = view_of(EVERYTHING, others=[{**EVERYTHING, "student": {"label": "x" * 300}}])
    assert max(map(cell_len, Terminal(width).render(view).splitlines())) == width


def test_a_bare_record_is_its_input() -> None:
    text = shown({"id": "x", "input": "Why?"}, 40)
    assert text == "── 1 · x ─────────────────────── text ──\n\nWhy?\n\n"


def test_choices_that_nothing_else_names_are_listed_below_the_input() -> None:
    record = {name: value for name, value in CHOICE.items() if name != "student"}
    assert "live?\n• tree   • sea   • a very long choice that is cut short   • car\n" in shown(
        record
    )
    told = {**record, "input": f"{record['input']} {', '.join(record['choices'])}"}
    assert "•" not in shown(told)


def test_an_answer_that_cannot_be_read_is_said_to_be_so() -> None:
    record = {**EQUATION, "student": {"label": None, "confidence": 0.2}}
    assert "\nstudent ✗  no readable answer\n" in shown(record)
    assert shown(record, 140).splitlines()[7].endswith("   no readable answer")


def test_a_teacher_that_failed_says_why() -> None:
    error = {"kind": "timeout", "message": "no reply in 60 s"}
    text = shown({"id": "x", "input": "?", "teacher": {"label": None, "error": error}})
    assert "! no answer from teacher\n" in text
    assert "teacher    no answer (timeout: no reply in 60 s)\n" in text


@pytest.mark.parametrize("width", [40, 57, 80, 99, 100, 110, 140, 200])
@pytest.mark.parametrize("record", [EQUATION, CHOICE, EVERYTHING])
def test_no_line_is_wider_than_asked_for(record: dict[str, Any], width: int) -> None:
    long = {**record, "id": "i" * 300, "input": "名" * 300 + "x" * 300}
    lines = shown(long, width).splitlines()
    assert max(map(cell_len, lines)) == width
    assert all(line == line.rstrip() for line in lines)


def test_without_styles_there_is_no_escape_sequence() -> None:
    assert "\x1b" not in shown(EQUATION)


def test_styles_change_no_character() -> None:
    colored = shown(EQUATION, has_styles=True, has_color=True)
    assert "\x1b[1;31m✗ wrong" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == shown(EQUATION)


def test_styles_without_color_are_bold_dim_and_underlined_only() -> None:
    codes = set(re.findall(r"\x1b\[([0-9;]*)m", shown(EQUATION, has_styles=True)))
    assert codes == {"0", "1", "2", "1;4"}


@pytest.mark.parametrize(
    "record",
    [
        {"id": HOSTILE, "input": HOSTILE, "split": "test", "label": HOSTILE},
        {
            "id": "x",
            "input": "?",
            "label": "a",
            "rationale": HOSTILE,
            "teacher": {"label": HOSTILE},
        },
        {"id": "x", "input": "?", "teacher": {"rationale": HOSTILE, "label": "a"}},
        {"id": "x", "input": "?", "teacher": {"error": {"kind": HOSTILE, "message": HOSTILE}}},
        {"id": "x", "input": "?", "student": {"label": "a", "choices": {HOSTILE: 0.5}}},
        {"id": "x", "input": "?", "student": {"label": "a", "rationale": f"answer is {HOSTILE}"}},
        {"id": "x", "input": "?", "choices": [HOSTILE]},
    ],
)
def test_hostile_text_reaches_no_terminal(record: dict[str, Any]) -> None:
    text = shown(record, 140)
    text.encode()
    hidden = {character for character in text if unicodedata.category(character)[0] == "C"}
    assert hidden <= {"\n"}
    assert "\u2028" not in text
    assert r"\x1b[2J\x1b]0;owned\x07" in text.replace("\n", "")
    allowed = set(re.findall(r"\x1b\[[0-9;]*m", shown(EQUATION, has_styles=True)))
    styled = shown(record, 140, has_styles=True)
    assert set(re.findall(r"\x1b.{0,3}m?", styled)) <= allowed | {""}


def test_markup_in_records_is_text() -> None:
    text = shown({"id": "[b]x[/b]", "input": "[red]a[/red] :smile: [link=http://x]y[/link]"})
    assert "[b]x[/b]" in text
    assert "[red]a[/red] :smile: [link=http://x]y[/link]" in text


@given(st.text())
def test_whatever_the_text_nothing_invisible_is_left(text: str) -> None:
    left = {c for c in visible(text) if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert left <= {"\n", "\u200c", "\u200d"}


def test_lines_and_words_stay_as_they_are() -> None:
    assert visible("naïve 名前\r\n👩\u200d🔬\tx") == "naïve 名前\n👩\u200d🔬 x"


def test_a_match_is_highlighted_in_every_text() -> None:
    text = shown(EQUATION, has_styles=True, pattern=re.compile(r"12 apples|7\.0"))
    assert len(re.findall(r"\x1b\[[0-9;]*7m12 apples", text)) == 3
    assert len(re.findall(r"\x1b\[[0-9;]*7m7\.0", text)) == 2


def test_a_text_without_end_keeps_head_and_tail() -> None:
    record = {"id": "x", "input": "y" * 5000 + "z"}
    text = shown(record)
    assert text.count("y") < 2200
    assert re.search(r"y\n… 2,901 characters left out \(--full\) …\ny", text)
    assert "yz\n" in text
    assert shown(record, is_full=True).count("y") == 5000


LONG = " ".join(f"w{number}" for number in range(1, 2001))


def test_a_long_rationale_keeps_head_and_tail_and_the_number_of_words_left_out() -> None:
    record = {**EQUATION, "teacher": {"label": "19", "rationale": f"{LONG} The answer is 19."}}
    text = shown(record)
    assert "… 1,884 words left out (--full) …" in text
    assert {"w1", "w70", "w1955", "w2000"} <= set(text.split())
    assert not {"w71", "w1954"} & set(text.split())
    whole = shown(record, is_full=True)
    assert set(LONG.split()) <= set(whole.split())
    assert "left out" not in whole


def test_the_words_that_decide_are_shown_and_underlined_wherever_they_stand() -> None:
    rationale = f"{LONG} So she has 12 + 7 now. {' '.join(['Fine.'] * 300)}"
    record = {**EQUATION, "teacher": {"label": "19", "rationale": rationale}}
    text = shown(record)
    assert re.search(r"w2000 So she\s+has 12 \+ 7 now\. Fine\.", text)
    assert text.count(" words left out") == 2
    assert text.count("(--full)") == 1
    assert "\x1b[1;4m12 + 7\x1b[0m" in shown(record, has_styles=True)


def test_a_match_is_shown_where_the_middle_is_left_out() -> None:
    record = {"id": "x", "input": LONG}
    assert "w1000" not in shown(record).split()
    assert "w1000" in shown(record, pattern=re.compile("w1000")).split()


def test_of_many_steps_the_wrong_ones_are_shown() -> None:
    rationale = " ".join(f"{n} + 1 = {n + 1}." for n in range(20)) + " So 2 + 2 = 5."
    record = {"id": "x", "input": "?", "teacher": {"label": "5", "rationale": rationale}}
    text = shown(record)
    assert "           ✗ 2 + 2 = 5 (is 4)   ✓ 20 steps right\n" in text
    assert "✓ 19 + 1 = 20" in shown(record, is_full=True)


def test_the_difference_of_two_rationales_is_shown_below_them() -> None:
    text = shown(EQUATION, has_differences=True)
    assert text.endswith(
        "\n\nteacher → student\n"
        "Luke had 12 apples [-and picked 7 more, so he has-]{+. So+} 12 + 7 = [-19\n"
        "apples. He eats none-] {+18+}.\n\n"
    )
    view = view_of(EQUATION, others=[SECOND, EQUATION])
    text = Terminal(80, has_differences=True, names={"student": "a", "third": "c"}).render(view)
    assert "\na → second\n[-Luke had 12 apples. So-] 12 + 7 = [-18-] {+19+}.\n" in text
    assert "\na → c\nthe same words\n" in text
    assert "teacher →" not in text


def test_students_have_their_names_and_stand_in_rows() -> None:
    names = {"student": "mi", "second": "dss", "third": "a-very-long-name-of-a-run-seed-3"}
    view = view_of(EQUATION, others=[SECOND, EQUATION])
    text = Terminal(80, names=names).render(view)
    assert re.search(r"\nmi ✗ +dss ✓\n", text)
    assert "\n\na-very-long-name-of-a-run-seed-3 ✗\n" in text
    assert "✓ fixed by dss" in text
    assert "gold's, teacher's" in text
    beside = Terminal(200, names=names).render(view)
    assert re.search(
        r"\ngold +teacher ✓ +mi ✗ +dss ✓ +a-very-long-name-of-a-run-seed-3 ✗\n", beside
    )
    assert "\n…-a-run-seed-3 ✗ ( 12.0 - 7.0 )" in Terminal(70, names=names).render(view)


def test_on_a_narrow_terminal_answers_stand_below_their_headings() -> None:
    lines = shown(EQUATION, 40).splitlines()
    assert lines[0] == "── ✗ wrong ── 1 · svamp-7 ──────────────"
    place = lines.index("student ✗")
    assert lines[place + 1] == "  ( 12.0 - 7.0 )   confidence 41%"


def test_a_record_begins_with_its_verdict() -> None:
    sure = {**EQUATION, "student": {**EQUATION["student"], "confidence": 0.99}}
    assert shown(sure).startswith("── ✗ confidently wrong ── 1 · svamp-7 ─")
    assert shown(SECOND).startswith("── ✓ right ── 1 · svamp-7 ─")
    assert shown({"id": "x", "input": "?"}).startswith("── 1 · x ─")


@pytest.mark.parametrize("rationale", ["名前" * 500, "👩\u200d🔬 " * 300, "שלום עולם " * 300])
@pytest.mark.parametrize("width", [40, 80, 160])
def test_wide_and_joined_characters_keep_to_the_width(rationale: str, width: int) -> None:
    record = {**EQUATION, "teacher": {"label": "12 + 7", "rationale": rationale}}
    lines = shown(record, width).splitlines()
    assert max(map(cell_len, lines)) <= width


def test_of_many_choices_only_the_likeliest_are_drawn() -> None:
    chances = {f"choice {index}": index / 1000 for index in range(30)}
    text = shown({"id": "x", "input": "?", "student": {"label": "choice 29", "choices": chances}})
    assert re.findall(r"choice (\d+) [█▏▎▍▌▋▊▉ ]", text) == [str(n) for n in range(20, 30)]
    assert "… and 20 less likely" in text


@pytest.mark.parametrize(("share", "bar"), [(0.0, ""), (1.0, "█" * 24), (7.5, "█" * 24), (-1, "")])
def test_a_bar_is_never_longer_than_its_room(share: float, bar: str) -> None:
    text = shown({"id": "x", "input": "?", "student": {"label": "a", "choices": {"a": share}}})
    assert f" a {bar:24} " in text

"""The page in a real browser, from its file: filters, keys, address, hostile texts, narrow screens.

Skipped where there is no chromium; it takes a few seconds where there is.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mitools.annotate.client.journal import Entry, Journal
from mitools.cli import mitools as cli
from mitools.escape import visible
from tests.explain.figures import hostile_summary, probed
from tests.explain.page.browser import DESKTOP, PHONE, Screen, open_browser
from tests.explain.page.pages import HOSTILE, choice, make_page, nli, rows_in
from tests.explain.page.test_write import hostile_records

RECORDS = [choice(index) for index in range(120)]
SECOND = [choice(index + 1, id=f"cqa-{index:03}") for index in range(120)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Screen]:
    with open_browser() as screen:
        yield screen


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


def written(folder: Path, name: str, *args: Any) -> Path:
    path = folder / f"{name}.html"
    if not path.exists():
        path.write_text(make_page(*args), encoding="utf-8")
    return path


@pytest.fixture
def screen(browser: Screen, folder: Path) -> Iterator[Screen]:
    """A desktop screen with the page of one student; nothing may have been complained of."""
    browser.size(DESKTOP)
    browser.complaints()
    browser.open(written(folder, "one", RECORDS))
    yield browser
    assert browser.complaints() == []


def number(text: str) -> int:
    return int(re.sub(r"\D.*", "", text.replace(",", "")))


def chip(facet: str, value: str) -> str:
    return f'[data-facet="{facet}"][data-value="{value}"]'


def test_it_opens_from_a_file_and_loads_nothing(screen: Screen) -> None:
    assert screen.run("return location.protocol") == "file:"
    assert screen.run("return performance.getEntriesByType('resource').length") == 0
    assert screen.count() == "120 records"
    assert len(screen.ids()) == 50
    assert screen.text("h1") == "student@0123456789ab"


@pytest.mark.parametrize(
    "attempt",
    [
        "document.body.innerHTML = '<b>x</b>'",
        "document.body.setAttribute('onclick', 'x()')",
        "const made = document.createElement('script'); made.textContent = 'x()'",
    ],
)
def test_no_text_becomes_html_or_script(attempt: str, screen: Screen) -> None:
    from selenium.common.exceptions import JavascriptException

    with pytest.raises(JavascriptException, match=r"requires 'Trusted(HTML|Script)' assignment"):
        screen.run(attempt)
    assert len(screen.complaints()) == 1


def test_nothing_is_sent(screen: Screen) -> None:
    sent = "return fetch('https://example.org/').then(() => 'sent', () => 'refused')"
    assert screen.run(sent) == "refused"
    assert any("Content Security Policy" in complaint for complaint in screen.complaints())


def test_chips_filter_combine_and_count(screen: Screen) -> None:
    page = screen_page(screen).read_text(encoding="utf-8")
    wrong = [row for row in rows_in(page) if row["right"] is False]
    assert screen.text(f"{chip('right', 'wrong')} .number") == str(len(wrong)) == "40"
    screen.click(chip("right", "wrong"))
    assert screen.count() == "40 of 120 records"
    assert set(screen.texts("#body .c-verdict")) == {"✗ wrong"}
    other = [row for row in wrong if row["student"]["supports"] == "other"]
    assert screen.text(f"{chip('supports', 'other')} .number") == str(len(other))
    screen.click(chip("supports", "other"))
    assert screen.count() == f"{len(other)} of 120 records"
    screen.click(chip("supports", "student"))
    assert screen.count() == "40 of 120 records"
    screen.click("#clear")
    assert screen.count() == "120 records"
    assert not screen.is_visible("#clear")


def test_flags_must_all_hold(screen: Screen) -> None:
    screen.click(chip("flag", "low_confidence"))
    low = number(screen.count())
    both = number(screen.text(f"{chip('flag', 'inconsistent')} .number"))
    screen.click(chip("flag", "inconsistent"))
    assert 0 < number(screen.count()) == both < low


def test_every_count_of_the_map_filters_to_just_so_many(screen: Screen) -> None:
    cells = screen.run(
        "return Array.from(document.querySelectorAll('button.cell'), (e) => e.dataset.filter)"
    )
    assert len(cells) == 4
    for where in cells:
        selector = f"button.cell[data-filter='{where}']"
        expected = screen.text(f"{selector} b")
        screen.click(selector)
        assert screen.count() == f"{expected} of 120 records", where
        assert screen.run(f'return document.querySelector("{selector}").ariaPressed') == "true"
        screen.click(selector)
        assert screen.count() == "120 records"


def test_every_bin_of_the_reliability_diagram_filters_to_its_answers(screen: Screen) -> None:
    bins = screen.run(
        "return Array.from(document.querySelectorAll('g.bin'),"
        " (e) => [e.dataset.filter, e.getAttribute('aria-label')])"
    )
    assert len(bins) >= 5
    for where, label in bins:
        screen.click(f"g.bin[data-filter='{where}']")
        assert number(screen.count()) == int(re.search(r": (\d+) answers", label)[1])  # type: ignore[index]
    assert sum(int(re.search(r": (\d+) answers", label)[1]) for _, label in bins) == 60  # type: ignore[index]


def test_a_bin_is_worked_by_keys_as_well(screen: Screen) -> None:
    screen.click("#tab-figures")
    screen.run("document.querySelector('g.bin').focus()")
    screen.press("\ue007")  # Enter
    assert number(screen.count()) < 120
    assert screen.run("return document.querySelector('g.bin').ariaPressed") == "true"


def test_the_header_sorts_both_ways(screen: Screen) -> None:
    head = '[data-sort="confidence"]'
    screen.click(f"{head} button")
    shares = [number(text) for text in screen.texts("#body .c-confidence")]
    assert shares == sorted(shares)
    assert screen.run(f"return document.querySelector('{head}').ariaSort") == "ascending"
    screen.click(f"{head} button")
    shares = [number(text) for text in screen.texts("#body .c-confidence")]
    assert shares == sorted(shares, reverse=True)
    assert screen.run(f"return document.querySelector('{head}').ariaSort") == "descending"
    screen.click('[data-sort="id"] button')
    assert screen.ids()[:2] == ["cqa-000", "cqa-001"]


def test_search_takes_text_or_an_expression(screen: Screen) -> None:
    screen.search("NUMBER 11")
    assert screen.ids() == ["cqa-011", *(f"cqa-{index}" for index in range(110, 120))]
    assert "number 11" in screen.texts("#body mark")
    screen.search("number (1|2) live")
    assert screen.count() == "0 of 120 records"
    assert screen.text("#nothing") == "No record matches these filters."
    screen.click("#regex")
    assert screen.ids() == ["cqa-001", "cqa-002"]


def test_typing_searches_by_itself(screen: Screen) -> None:
    screen.press("/")
    assert screen.run("return document.activeElement.id") == "q"
    screen.press("number 119")
    screen.wait_until(lambda: screen.count() == "1 of 120 records")
    screen.press("\ue00c")  # Esc leaves the box; the search stays
    assert screen.run("return document.activeElement.id") != "q"
    assert screen.count() == "1 of 120 records"


def test_a_faulty_expression_is_said_and_changes_nothing(screen: Screen) -> None:
    screen.click("#regex")
    screen.search("fish")
    screen.search("fish(")
    assert screen.text("#q-problem").startswith("Not a regular expression: ")
    assert screen.is_visible("#q-problem")
    assert screen.count() == "120 records"
    screen.search("fish")
    assert not screen.is_visible("#q-problem")


def test_keys_walk_through_the_records(screen: Screen) -> None:
    screen.press("j")
    assert screen.text("#detail-title") == "cqa-000"
    screen.press("jj")
    assert screen.text("#detail-title") == "cqa-002"
    screen.press("k")
    assert screen.text("#detail-title") == "cqa-001"
    assert screen.run("return document.activeElement.closest('tr').dataset.n") == "2"
    screen.press("\ue00c")
    assert not screen.is_visible("#detail")


def test_keys_go_on_to_the_next_page_of_rows(screen: Screen) -> None:
    assert screen.text("#place") == "1–50 of 120"
    screen.click("#body tr:last-child th button")
    screen.press("j")
    assert screen.text("#detail-title") == "cqa-050"
    assert screen.text("#place") == "51–100 of 120"
    screen.click("#later")
    assert screen.text("#place") == "101–120 of 120"
    assert screen.run("return document.getElementById('later').disabled") is True


def test_a_record_shows_gold_teacher_and_student_side_by_side(screen: Screen) -> None:
    screen.open(screen_page(screen), "#record=1")
    assert screen.texts(".answer") == ["goldsea", "teacher✓sea", "student✗tree35%"]
    assert screen.texts(".side h3") == ["teacher✓ right", "student✗ wrong"]
    assert screen.texts(".side .label") == ["sea", "tree"]
    assert screen.texts(".bars li") == [
        "sea33%gold, teacher",
        "tree35%student",
        "car33%",
    ]
    assert "→ supports car, no one's answer" in screen.texts(".side .supports")
    assert "✗ inconsistent" in screen.text(".verdicts")
    assert "→ supports its own answer" in screen.texts(".side.teacher .supports")
    edges = screen.run(
        "return Array.from(document.querySelectorAll('.side'),"
        " (side) => side.getBoundingClientRect().left)"
    )
    assert len(set(edges)) == 2


def screen_page(screen: Screen) -> Path:
    return Path(screen.run("return decodeURI(location.pathname)"))


def test_a_rationale_that_supports_nothing_is_said_to(screen: Screen, folder: Path) -> None:
    student = {"label": "sea", "rationale": "Who knows. 1 + 1 = 3.", "confidence": 0.4}
    screen.open(written(folder, "open", [choice(1, student=student)]), "#record=1")
    assert screen.text(".side.student .supports") == "→ supports no answer"
    assert screen.text(".side.student .steps") == "✗ 1 + 1 = 3 (is 2)"
    assert screen.text(".side.student .label") == "sea  confidence 40%"


def test_the_answers_in_each_way_stand_below_the_label(screen: Screen, folder: Path) -> None:
    answers = {
        "predict": {"label": "tree", "confidence": 0.6},
        "conclude": {"label": None},
        "both": {"label": "<b>sea", "confidence": 0.7},
    }
    student = {"label": "sea", "answered_by": "both", "answers": answers}
    screen.open(written(folder, "ways", [choice(1, student=student)]), "#record=1")
    assert screen.texts(".side.student .ways li") == [
        "predict✗ tree60%",
        "conclude✗ no readable answer",
        "both its answer✗ <b>sea70%",
    ]
    assert screen.texts(".ways .own bdi") == ["<b>sea"]


def test_the_address_brings_everything_back(screen: Screen) -> None:
    page = screen_page(screen)
    screen.click(chip("right", "wrong"))
    screen.click(chip("flag", "low_confidence"))
    screen.search("fish")
    screen.click('[data-sort="confidence"] button')
    screen.press("j")
    seen = (screen.count(), screen.ids(), screen.text("#detail-title"))
    fragment = screen.run("return location.hash")
    assert fragment == (
        "#q=fish&right=wrong&flag=low_confidence&sort=confidence"
        f"&record={screen.text('#detail-title')}"
    )
    screen.open(page, fragment)
    assert (screen.count(), screen.ids(), screen.text("#detail-title")) == seen
    screen.open(page, "#right=nonsense&sort=__proto__&page=x&record=99999&low=7&flag=wrong,%00")
    assert screen.count() == "120 records"
    screen.open(page, "#records")
    assert screen.count() == "120 records"


def test_ids_that_begin_alike_show_what_tells_them_apart(screen: Screen, folder: Path) -> None:
    records = [choice(index, id=f"svamp-test-{index:05}") for index in range(3)]
    screen.open(written(folder, "alike", records))
    assert screen.ids() == ["…00000", "…00001", "…00002"]
    screen.press("j")
    assert screen.text("#detail-title") == "svamp-test-00000"
    screen.open(written(folder, "alone", records[:1]))
    assert screen.ids() == ["svamp-test-00000"]


def test_back_closes_the_record(screen: Screen) -> None:
    screen.click(chip("right", "wrong"))
    screen.press("jj")
    screen.driver.back()
    assert not screen.is_visible("#detail")
    assert screen.count() == "40 of 120 records"


def marked(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mark the records of valid as those that chose a threshold, as ``eval`` does."""
    return [
        {**one, "scores": {"role": "calibration"}} if one["split"] == "valid" else one
        for one in records
    ]


# A bin lies in an SVG and is not clickable for the driver where another one covers it.
CLICK = (
    "document.querySelector(arguments[0]).dispatchEvent(new MouseEvent('click', {bubbles: true}))"
)


def test_every_count_of_a_plot_opens_so_many_records(screen: Screen, folder: Path) -> None:
    one, two = (
        stored(folder, f"set-apart-{n}", marked(r)) for n, r in enumerate((RECORDS, SECOND))
    )
    path = folder / "set-apart.html"
    explained(one, "--vs", two, "--html", str(path))
    screen.open(path)
    counted = {}
    for where in screen.run(
        "return Array.from(document.querySelectorAll('[data-filter]'), (e) => e.dataset.filter)"
    ):
        selector = f"[data-filter='{where}']"
        label = screen.run(f'return document.querySelector("{selector}").ariaLabel')
        expected = re.search(r": (\d+)", label)
        assert expected is not None
        screen.run(CLICK, selector)
        counted[where] = int(expected[1])
        assert screen.count() == f"{expected[1]} of 120 records", where
        assert "evaluated=yes" in screen.run("return location.hash")
        screen.run(CLICK, selector)
        assert screen.count() == "120 records"
    bins = [where for where in counted if "low=" in where]
    assert {where.split("&")[0] for where in bins if "who=" in where} == {"who=second"}
    assert len([where for where in bins if "who=" not in where]) > 1
    assert sum(counted[where] for where in bins if "who=" in where) == 60
    second = next(where for where in bins if "who=" in where)
    screen.open(path, f"#{second}")
    assert screen.text("#confidence-of").lower().startswith("confidence of ")


def test_two_students_are_compared(screen: Screen, folder: Path) -> None:
    screen.open(written(folder, "two", RECORDS, SECOND))
    fixed = screen.text("button.cell[data-filter='change-second=fixed'] b")
    screen.click("button.cell[data-filter='change-second=fixed']")
    assert screen.count() == f"{fixed} of 120 records" == "20 of 120 records"
    assert screen.text(f"{chip('change-second', 'broken')} .number") == "20"
    screen.click(chip("evaluated", "yes"))  # the records of valid too
    assert screen.count() == "40 of 120 records"
    screen.press("j")
    assert screen.texts(".side h3")[1:] == ["student✗ wrong", "second✓ right"]
    assert "✓ fixed by second" in screen.text(".verdicts")
    screen.click(chip("change-second", "changed"))
    assert screen.count() == "80 of 120 records"


def test_a_confusion_matrix_filters_by_gold_and_answer(screen: Screen, folder: Path) -> None:
    labels = [nli(index) for index in range(24)] + [nli(24, "maybe")]
    screen.open(written(folder, "labels", labels))
    for where in ("gold=neutral&given=neutral", "gold=entailment&given=%E2%88%85"):
        cell = f"button.cell[data-filter='{where}']"
        expected = screen.text(f"{cell} b")
        screen.click(cell)
        assert screen.count() == f"{expected} of 25 records"
    assert screen.run("return document.getElementById('select-given').value") == "∅"
    screen.run(
        "const s = document.getElementById('select-given'); s.value = '';"
        "s.dispatchEvent(new Event('change'))"
    )
    assert number(screen.count()) == sum(row["label"] == "entailment" for row in labels)


def test_hostile_texts_are_shown_and_not_run(screen: Screen, folder: Path) -> None:
    screen.open(written(folder, "hostile", hostile_records()))
    title = screen.run("return document.title")
    for index, (name, text) in enumerate(HOSTILE.items()):
        screen.press("j")
        shown = screen.text("#detail .input")
        assert shown == spelt_out(text), name
        assert screen.texts(".side .rationale")[0] == spelt_out(text).strip(), name
        assert screen.run("return explain.state.record") == index + 1
    assert screen.run("return document.title") == title
    assert title.endswith(" · mitools explain")
    assert screen.run("return document.querySelectorAll('img, iframe, b > script').length") == 0
    assert screen.run("return document.querySelectorAll('script:not([id])').length") == 1
    screen.search(HOSTILE["closing tag"])
    assert screen.count() == "1 of 15 records"


def test_hostile_probes_and_judges_are_shown_and_not_run(screen: Screen, folder: Path) -> None:
    for index, text in enumerate(HOSTILE.values()):
        summary = hostile_summary(text)
        page = written(folder, f"judged{index}", RECORDS[:9], None, summary)
        screen.open(page)
        assert screen.run("return document.title") == "student@0123456789ab · mitools explain"
        assert screen.run("return document.querySelectorAll('script:not([id])').length") == 1
        assert screen.run("return document.querySelectorAll('img, iframe').length") == 0
        assert visible(text) in "".join(screen.texts(".panel .legend"))
        for size in (PHONE, DESKTOP):
            screen.size(size)
            assert screen.overflow() <= 0, (size, text)


def spelt_out(text: str) -> str:
    """Write a text as the page shows it."""
    import unicodedata

    def shown(character: str) -> str:
        is_hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        is_hidden = is_hidden and character not in "\n\t\u200c\u200d"
        return f"U+{ord(character):04X}" if is_hidden else character

    return "".join(map(shown, text))


PAGES = {
    "two": lambda: (RECORDS, SECOND),
    "labels": lambda: ([nli(index) for index in range(24)] + [nli(24, "maybe")],),
    "hostile": lambda: (hostile_records(),),
    "long": lambda: ([{**choice(1), "id": "i" * 400, "input": "x" * 9000, "label": "y" * 900}],),
    "probed": lambda: (RECORDS, SECOND, probed(), probed()),
    "bare": lambda: ([{"id": "x", "input": "?"}],),
    "nothing": lambda: ([],),
}


@pytest.mark.parametrize("name", PAGES)
def test_no_screen_is_too_narrow(name: str, screen: Screen, folder: Path) -> None:
    screen.size(PHONE)
    screen.open(written(folder, name, *PAGES[name]()))
    for size in (PHONE, (320, 568), (768, 1024), DESKTOP):
        screen.size(size)
        assert screen.overflow() <= 0, size
        screen.press("j")
        assert screen.is_visible("#detail") is (name != "nothing")
        assert screen.overflow() <= 0, size
        screen.press("\ue00c")


def test_on_a_phone_a_record_covers_the_page_and_closes_again(screen: Screen) -> None:
    screen.size(PHONE)
    screen.open(screen_page(screen))
    assert not screen.is_visible("#facets")
    screen.click("#body tr th button")
    box = screen.run(
        "const b = document.getElementById('detail').getBoundingClientRect();"
        "return [b.left, b.top, b.width, b.height]"
    )
    assert box == [0, 0, *PHONE]
    assert screen.run("return document.activeElement.id") == "detail-title"
    screen.click('#detail [aria-label="Next record"]')
    assert screen.text("#detail-title") == "cqa-001"
    screen.click('#detail [aria-label="Close the record"]')
    assert not screen.is_visible("#detail")


def test_light_and_dark_follow_the_reader(screen: Screen) -> None:
    colors = []
    for dark in (False, True):
        screen.size(DESKTOP, dark=dark)
        colors.append(
            screen.run("return getComputedStyle(document.documentElement).backgroundColor")
        )
    assert colors == ["rgb(246, 247, 249)", "rgb(17, 19, 24)"]


def test_on_paper_there_are_figures_and_records_and_nothing_to_click(screen: Screen) -> None:
    screen.press("j")
    screen.size(DESKTOP, media="print")
    assert screen.is_visible(".card")
    assert screen.is_visible("#table")
    assert screen.is_visible("#detail")
    assert screen.is_visible("#count")
    for gone in ("#q", "#facets", "#pages", "#detail .nav", ".keys"):
        assert not screen.is_visible(gone), gone


def test_everything_to_work_with_has_a_name(screen: Screen, folder: Path) -> None:
    for name in ("two", "labels"):
        screen.open(written(folder, name, *PAGES[name]()), "#record=1")
        nameless = screen.run(
            "return Array.from(document.querySelectorAll('button, input, select, [role=button]'))"
            ".filter((e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.length))"
            ".map((e) => e.outerHTML)"
        )
        assert nameless == []
        headers = screen.run("return Array.from(document.querySelectorAll('th'), (e) => e.scope)")
        assert set(headers) <= {"col", "row", "colgroup"}
        assert (
            screen.run(
                "return document.querySelectorAll('svg:not([aria-hidden]):not([role])').length"
            )
            == 0
        )


THIRD = [choice(index + 2, id=f"cqa-{index:03}") for index in range(0, 120, 2)]


def stored(folder: Path, name: str, records: list[dict[str, Any]]) -> str:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


def explained(*arguments: str) -> str:
    """Run ``mitools explain``, and give its stdout."""
    result = CliRunner().invoke(cli, ["explain", "-q", *arguments])
    assert result.exit_code == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def compared_page(folder: Path) -> Path:
    """A page of three runs, written by the command line from files with a quote in their name."""
    one, two, three = (
        stored(folder, name, records)
        for name, records in (("it's one", RECORDS), ("two", SECOND), ("three", THIRD))
    )
    path = folder / "compared.html"
    explained(one, "--vs", two, "--vs", three, "--html", str(path))
    return path


FILTERS = [
    "",
    "#right=wrong",
    "#runs=differ",
    "#runs=fixed,broken",
    "#right=right,wrong",
    "#supports=other,gold&flag=low_confidence",
    "#flag=inconsistent,disagrees",
    "#q=number+1%27%24",
    "#q=number+11%3F",
    "#q=number+1[0-3]%3F&regex=1",
    "#q=cqa-00",
    "#high=0.5",
    "#low=0.5&high=0.7",
    "#split=valid&sort=-confidence",
    "#change-third=changed",
]


@pytest.mark.parametrize("fragment", FILTERS)
def test_the_command_of_the_filters_gives_the_saved_records(
    fragment: str, screen: Screen, compared_page: Path, folder: Path
) -> None:
    screen.open(compared_page, fragment)
    saved: str = screen.driver.execute_async_script(SAVED)
    command = screen.run("return explain.commandOf()")
    if "text" not in command:  # no option says the same, and there are no ids to name
        assert (command["reason"], saved) == ("no record matches", "")
        return
    words = shlex.split(command["text"])
    assert words[:2] == ["mitools", "explain"]
    assert saved == explained(*words[2:], "--json")
    assert number(screen.count()) == len(saved.splitlines())


# The link that would save the file is followed here, and the text behind it read.
SAVED = """
const done = arguments[arguments.length - 1];
HTMLAnchorElement.prototype.click = function () {
  const request = new FileReader();
  request.onload = () => done(request.result);
  request.readAsText(window.saved);
};
URL.createObjectURL = (blob) => ((window.saved = blob), "blob:x");
if (document.getElementById("save").disabled) done("");
else document.getElementById("save").click.call(document.getElementById("save"));
"""


@pytest.mark.parametrize(
    ("made_with", "fragment"),
    [
        (("--grep", "number 1"), "#q=2"),
        (("--supports", "student", "--supports", "other"), "#supports=other"),
        (("--low-conf", "0.5"), "#high=0.8"),
        (("--split", "valid", "--split", "test"), "#split=valid"),
        (("--label", "sea", "--label", "tree"), "#right=wrong"),
        (("--fixed",), "#runs=fixed,broken"),
        (("--fixed",), "#runs=fixed&right=wrong"),
        (("--wrong",), "#right=wrong&supports=student"),
        ((), "#flag=low_confidence&high=0.8"),
        ((), "#runs=fixed,broken&change-second=fixed"),
    ],
)
def test_the_command_of_a_page_of_some_records_gives_those_it_shows(
    made_with: tuple[str, ...], fragment: str, screen: Screen, tmp_path: Path
) -> None:
    one, two, three = (
        stored(tmp_path, name, records)
        for name, records in (("one", RECORDS), ("two", SECOND), ("three", THIRD))
    )
    page = tmp_path / "page.html"
    others = ("--vs", two, "--vs", three)
    explained(one, *others, *made_with, "--html", str(page))
    screen.open(page, fragment)
    shown: list[str] = screen.run(SHOWN)
    assert shown, "nothing to compare"
    command = screen.run("return explain.commandOf()")
    if "text" not in command:
        pytest.fail(command["reason"])
    found = explained(*shlex.split(command["text"])[2:], "--json")
    assert [json.loads(line)["id"] for line in found.splitlines()] == shown


# The ids of the records that the filters of the page leave; the page shows fifty of them.
SHOWN = """
const ids = [];
const idOf = (e) => explain.rows.find((row) => row.n === Number(e.dataset.n)).id;
const [pages, later] = ["pages", "later"].map((id) => document.getElementById(id));
for (;;) {
  ids.push(...Array.from(document.querySelectorAll("#body tr"), idOf));
  if (pages.hidden || later.disabled) return ids;
  later.click();
}
"""


def test_options_that_do_not_meet_stay_in_the_command(screen: Screen, tmp_path: Path) -> None:
    records = stored(tmp_path, "r", RECORDS)
    page = tmp_path / "page.html"
    explained(records, "--grep", "number 1", "--wrong", "--html", str(page))
    screen.open(page, "#right=wrong&supports=other&high=0.5")
    command = screen.run("return explain.commandOf()")["text"]
    asked = "--wrong --grep 'number 1' --wrong --supports other --low-conf=0.5"
    assert command == f"mitools explain {records} {asked}"


def test_empty_ids_and_labels_are_shown(screen: Screen, tmp_path: Path) -> None:
    nameless = {"id": "", "input": "first", "label": "a", "student": {"label": ""}}
    named = {"id": "z", "input": "second", "label": "a", "student": {"label": "a"}}
    records = stored(tmp_path, "r", [nameless, named])
    page = tmp_path / "page.html"
    explained(records, "--html", str(page))
    screen.open(page)
    assert screen.ids() == ["–", "z"]
    assert "no answer" not in screen.text("#body")
    screen.press("j")
    assert screen.text("#detail .input") == "first"
    assert "no readable answer" not in screen.text("#detail")
    screen.open(page, screen.run("return location.hash"))
    assert screen.run("return explain.state.record") == 1
    screen.open(page, "#q=first")
    assert screen.run("return explain.commandOf()")["text"].endswith("--grep '(?i)first'")


def test_figures_without_records_of_valid_open_just_those_they_count(
    screen: Screen, folder: Path
) -> None:
    screen.open(written(folder, "one", RECORDS))
    assert "of 60 records; 60 of the split valid are left out" in screen.text(".facts")
    screen.click("button.cell")
    assert "evaluated=yes" in screen.run("return location.hash")
    counted = number(screen.count())
    screen.click(chip("evaluated", "yes"))
    assert number(screen.count()) > counted


def test_the_command_is_shown_to_be_copied(screen: Screen, compared_page: Path) -> None:
    screen.open(compared_page, "#right=wrong")
    screen.click("#copy")
    assert screen.is_visible("#command-box")
    assert screen.text("#command").endswith(" --wrong")
    assert "it'\\''s one.jsonl" in screen.text("#command")
    screen.click("#clear")
    assert not screen.is_visible("#command-box")


def test_runs_stand_side_by_side_under_their_names(screen: Screen, compared_page: Path) -> None:
    screen.open(compared_page, "#runs=differ")
    assert 0 < number(screen.count()) < 120
    screen.press("j")
    assert screen.texts(".side h3 > :first-child") == ["teacher", "it's one", "two", "three"]
    assert screen.texts(".answer .name")[2:] == ["it's one", "two", "three"]
    assert "≠" in "".join(screen.texts(".answer"))
    screen.press("w")
    assert not screen.is_visible("#list")
    edges = screen.run(
        "return Array.from(document.querySelectorAll('.side'),"
        " (side) => side.getBoundingClientRect().top)"
    )
    assert len(set(edges)) == 1
    assert "wide=1" in screen.run("return location.hash")
    screen.press("\ue00c")
    assert screen.is_visible("#list")


def test_records_come_first_and_tabs_have_addresses(screen: Screen) -> None:
    top = "return document.querySelector('#body tr').getBoundingClientRect().top"
    assert screen.run(top) < 250
    assert not screen.is_visible(".card")
    screen.click("#tab-figures")
    assert screen.is_visible(".card")
    assert not screen.is_visible("#table")
    assert screen.run("return location.hash") == "#tab=figures"
    screen.driver.back()
    assert screen.is_visible("#table")
    screen.open(screen_page(screen), "#tab=figures")
    assert screen.is_visible(".card")
    screen.click("button.cell")
    assert screen.is_visible("#table")
    assert number(screen.count()) < 120


def test_the_main_figures_stay_above_the_records(screen: Screen) -> None:
    screen.run("scrollTo(0, 3000)")
    box = screen.run("return document.querySelector('.headline').getBoundingClientRect().top")
    assert 0 <= box < 60
    assert "Accuracy" in screen.text(".headline")


def test_a_record_has_an_address_by_its_id(screen: Screen, folder: Path) -> None:
    records = [choice(0, id="a"), choice(1, id="a"), choice(2, id="1")]
    page = written(folder, "twice", records)
    for fragment, place in (("#record=a", 1), ("#record=a&n=2", 2), ("#record=1", 3)):
        screen.open(page, fragment)
        assert screen.run("return explain.state.record") == place
        assert screen.run("return location.hash") == fragment


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_labels_stay_visible_beside_a_long_rationale(
    size: tuple[int, int], screen: Screen, folder: Path
) -> None:
    words = " ".join(f"word{index}" for index in range(2000))
    student = {"label": "tree", "rationale": words, "confidence": 0.4}
    screen.size(size)
    screen.open(
        written(folder, "words", [choice(1, student=student), choice(2)]), "#record=cqa-001"
    )
    detail = "document.getElementById('detail')"
    screen.run(f"{detail}.scrollTop = {detail}.scrollHeight - 2 * {detail}.clientHeight")
    assert screen.run(f"return {detail}.scrollTop") > 500
    seen = screen.run(
        "return Array.from(document.querySelectorAll('.answer, .side.student .side-head'), (e) => {"
        " const box = e.getBoundingClientRect();"
        " const hit = document.elementFromPoint(box.left + 5, box.top + box.height / 2);"
        " return [e.textContent, e.contains(hit)]; })"
    )
    assert seen == [
        ["goldsea", True],
        ["teacher✓sea", True],
        ["student✗tree40%", True],
        ["student✗ wrongtree  confidence 40%", True],
    ]


def test_a_teachers_model_prompt_and_replies_are_there_on_demand(
    screen: Screen, folder: Path, tmp_path: Path
) -> None:
    teacher = {
        **choice(1)["teacher"],
        "model": "<b>gpt",
        "prompt": "0123abcd",
        "usage": {"prompt_tokens": 7},
    }
    reply = json.dumps({"choices": [{"message": {"content": "<i>sea</i>", "reasoning": "hm"}}]})
    journal = Journal(tmp_path / "j.sqlite3")
    journal.write([Entry("k", "ok", reply, "cqa-001", 0)])
    journal.close()
    page = tmp_path / "page.html"
    records = stored(tmp_path, "r", [choice(1, teacher=teacher)])
    explained(records, "--journal", str(tmp_path / "j.sqlite3"), "--html", str(page))
    screen.open(page, "#record=cqa-001")
    assert not screen.texts(".facts-list")
    screen.run("document.querySelector('.side.teacher details').open = true")
    screen.wait_until(lambda: screen.texts(".reply"))
    assert screen.texts(".facts-list dd")[0] == "<b>gpt"
    assert "hash 0123abcd" in screen.text(".facts-list")
    assert screen.texts(".reply") == ["hm", "<i>sea</i>"]
    assert screen.text(".reply-box pre") == reply
    screen.run("document.querySelector('#detail .record-body > details').open = true")
    screen.wait_until(lambda: screen.texts(".record-body > details pre"))
    assert json.loads(screen.text(".record-body > details pre")) == choice(1, teacher=teacher)


def test_an_index_compares_runs_and_sorts(screen: Screen, folder: Path, tmp_path: Path) -> None:
    first = [{**one, "split": "test"} for one in RECORDS]
    second = [{**one, "student": two["student"]} for one, two in zip(first, SECOND, strict=True)]
    for name, records in (("a", first), ("b", second), ("c", first[:50])):
        stored(tmp_path, name, records)
    explained(str(tmp_path), "--html", str(tmp_path / "index.html"))
    screen.open(tmp_path / "index.html")
    assert screen.texts("#body th > :first-child") == [
        f"student@0123456789ab · {tmp_path}/{name}.jsonl" for name in "abc"
    ]
    assert screen.texts(".difference") == ["chosen", "0.0-14.5 to +14.5", "other records"]
    assert screen.texts(".changes") == ["", "✓ 40 ✗ 40of 120", ""]
    screen.click("[data-sort='records'] button")
    screen.click("[data-sort='records'] button")
    assert screen.run("return document.querySelector('#body tr').dataset.index") == "2"
    screen.click("[data-index='1'] .choose")
    screen.click("[data-index='0'] .choose")
    command = f"mitools explain {tmp_path}/a.jsonl --vs {tmp_path}/b.jsonl --html compared.html"
    assert screen.text("#command") == command
    for size in (PHONE, DESKTOP):
        screen.size(size)
        assert screen.overflow() <= 0


AXE = os.environ.get("AXE_CORE", "node_modules/axe-core/axe.min.js")
STATES = ["", "#record=cqa-001", "#tab=figures", "#tab=about", "#right=wrong&record=cqa-000&wide=1"]


@pytest.mark.parametrize(("size", "dark"), [(DESKTOP, False), (DESKTOP, True), (PHONE, False)])
def test_axe_finds_nothing(
    size: tuple[int, int], dark: bool, browser: Screen, compared_page: Path
) -> None:
    if not Path(AXE).is_file():
        pytest.skip('no axe-core: "npm install axe-core", or its path in AXE_CORE')
    browser.driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    try:
        browser.size(size, dark=dark)
        for state in STATES:
            browser.open(compared_page, state)
            browser.run(Path(AXE).read_text(encoding="utf-8"))
            found = browser.driver.execute_async_script(
                "const done = arguments[arguments.length - 1];"
                "axe.run().then(({ violations }) => done(violations.map((one) =>"
                " [one.id, one.nodes.map((node) => node.html.slice(0, 200))])))"
            )
            assert found == [], (state, dark)
    finally:
        browser.driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})
        browser.complaints()


@pytest.mark.parametrize("size", [DESKTOP, (1920, 1080)])
def test_at_most_four_cards_stand_in_a_row(screen: Screen, size: tuple[int, int]) -> None:
    screen.size(size)
    screen.run("location.hash = 'tab=figures'")
    places = "[...document.querySelectorAll('.cards > *')].map((card) => card.offsetLeft)"
    assert len(set(screen.run(f"return {places}"))) == 4


def test_the_buttons_about_the_records_stay_in_one_line(screen: Screen, folder: Path) -> None:
    screen.size(PHONE)
    screen.open(written(folder, "one", RECORDS), "#right=wrong")
    tops = "['copy', 'save'].map((id) => document.getElementById(id).getBoundingClientRect().top)"
    copy, save = screen.run(f"return {tops}")
    assert copy == save


def test_labels_of_several_students_leave_room_for_the_text(
    browser: Screen, compared_page: Path
) -> None:
    browser.size(DESKTOP)
    browser.open(compared_page)
    flags = "getComputedStyle(document.querySelector('#table thead .c-flags')).display"
    assert browser.run(f"return {flags}") == "none"
    browser.size((1920, 1080))
    assert browser.run(f"return {flags}") == "table-cell"


def test_the_text_is_the_widest_column_on_a_desktop(browser: Screen, folder: Path) -> None:
    page = written(folder, "wide", RECORDS)
    heads = "[...document.querySelectorAll('#table thead th')]"
    widths = f"{heads}.map((th) => [th.className.split(' ')[0], th.offsetWidth])"
    for width in (1024, 1280, 1300, 1440, 1920):
        browser.size((width, 800))
        browser.open(page)
        found = dict(browser.run(f"return {widths}"))
        assert max(found, key=found.__getitem__) == "c-input", f"{width}: {found}"
        assert found["c-input"] >= 180


def test_the_words_that_decide_are_underlined(screen: Screen, folder: Path) -> None:
    student = {"label": "sea", "rationale": "  😀 swims. So the answer is sea."}
    screen.open(written(folder, "decides", [choice(1, student=student)]), "#record=cqa-001")
    assert screen.text(".side.student .rationale") == "😀 swims. So the answer is sea."
    assert screen.text(".side.student .decides").rstrip(".").endswith("sea")
    assert "swims" not in screen.text(".side.student .decides")

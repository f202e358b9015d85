"""The page as a text: what is in it, what is not, and that nothing in it can run or call home."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from mitools.evaluate.measures.metric import as_json
from tests.explain.figures import hostile_summary, probed, unprobed
from tests.explain.page.pages import HOSTILE, choice, make_page, nli, rows_in

VOID = {"meta", "input", "link", "br", "img", "line", "circle", "rect", "path"}


class Outline(HTMLParser):
    """Collects elements and the text outside scripts and styles, and checks that tags match."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    @property
    def words(self) -> str:
        """The text with single spaces."""
        return " ".join(self.text.split())

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.text += data


def hostile_records() -> list[dict[str, Any]]:
    """Every hostile text in every place that a page shows."""
    return [
        {
            "id": f"{name} {text}",
            "input": text,
            "label": text,
            "rationale": text,
            "choices": [text, "other"],
            "task": "choice",
            "teacher": {"label": text, "rationale": text, "error": {"kind": text, "message": text}},
            "student": {
                "label": text,
                "rationale": f"answer is {text}",
                "confidence": 0.5,
                "choices": {text: 0.5, "other": 0.5},
                "model": text,
            },
        }
        for name, text in HOSTILE.items()
    ]


PAGES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]] | None]] = {
    "one student": ([choice(index) for index in range(30)], None),
    "two students": (
        [choice(index) for index in range(30)],
        [choice(index + 1, id=f"cqa-{index:03}") for index in range(30)],
    ),
    "labels": ([nli(index) for index in range(20)] + [nli(20, "maybe")], None),
    "no student": ([{**choice(index), "student": None} for index in range(5)], None),
    "no teacher": ([{**choice(index), "teacher": None} for index in range(5)], None),
    "no gold": ([{**choice(index), "label": None} for index in range(5)], None),
    "bare": ([{"id": "x", "input": "?"}], None),
    "nothing": ([], None),
    "hostile": (hostile_records(), None),
}
EVERY_PAGE = pytest.mark.parametrize("name", PAGES)


@functools.cache
def page_named(name: str) -> str:
    return make_page(*PAGES[name])


@pytest.fixture
def page(name: str) -> str:
    return page_named(name)


@EVERY_PAGE
def test_the_page_is_well_formed_and_holds_every_record(name: str, page: str) -> None:
    outline = Outline(page)
    assert [tag for tag, _ in outline.elements].count("script") == 4
    assert len(rows_in(page)) == len(PAGES[name][0])
    ids = [str(attributes["id"]) for _, attributes in outline.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


@EVERY_PAGE
def test_nothing_is_loaded_from_anywhere(name: str, page: str) -> None:
    own = page[: page.index('<script id="config"')] + page[page.rindex("<script>") :]
    assert "://" not in own
    assert not re.search(r"@import|url\(|\bimport\(|fetch\(|XMLHttp|sendBeacon|WebSocket", own)
    for tag, attributes in Outline(page).elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "audio", "video")
        assert "src" not in attributes
        assert str(attributes.get("href", "#")).startswith("#")


@EVERY_PAGE
def test_the_policy_allows_this_style_and_this_script_and_nothing_else(
    name: str, page: str
) -> None:
    outline = Outline(page)
    (policy,) = [
        str(attributes["content"])
        for tag, attributes in outline.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split("; ")}
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == ["'none'"]
    assert rules["require-trusted-types-for"] == ["'script'"]
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        inline = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert len(inline) == 1
        digest = hashlib.sha256(inline[0].encode()).digest()
        assert rules[rule] == [f"'sha256-{base64.b64encode(digest).decode()}'"]
    assert not any(
        attribute == "style" or attribute.startswith("on")
        for _, attributes in outline.elements
        for attribute in attributes
    )


def test_hostile_texts_add_no_element() -> None:
    told = " ".join(HOSTILE.values())
    hostile = Outline(
        make_page(hostile_records(), source=told, selection=told, sources=(told,), notes=(told,))
    )
    tame = Outline(
        make_page(
            [
                {**record, "student": {**record["student"], "model": "x"}}
                for record in hostile_records()
            ],
            source="x",
            selection="x",
            sources=("x",),
            notes=("x",),
        )
    )
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in tame.elements]
    assert "<img src=x onerror=" in hostile.text
    assert "{{ 7 * 7 }}" in hostile.text


def test_hostile_labels_and_summaries_add_no_element_either() -> None:
    text = HOSTILE["closing tag"]
    records = [nli(0), {**nli(1), "label": text, "choices": [text], "student": {"label": text}}]
    summary = {
        text: {"value": 1, "status": "ok", "unit": text},
        "label": {"accuracy": {"value": None, "status": "undefined", "reason": text}},
        "provenance": {text: [text]},
    }
    outline = Outline(make_page(records, summary=summary))
    assert [tag for tag, _ in outline.elements].count("script") == 4
    assert outline.text.count("</script><script>document.title='owned'</script>") >= 4


def test_what_utf8_cannot_hold_is_spelt_out() -> None:
    told = "\ud800 \u202e"
    page = make_page(hostile_records(), source=told, notes=(told,))
    page.encode()
    assert "\\ud800 \\u202e" in Outline(page).text


def test_the_script_makes_no_html_of_text() -> None:
    folder = files("mitools.explain.page").joinpath("templates")
    scripts = [part for part in folder.iterdir() if part.name.endswith(".js")]
    assert len(scripts) == 13
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|Function\(|setHTML|DOMParser"
    )
    for script in scripts:
        code = script.read_text("utf-8")
        assert not re.search(forbidden, code), script.name
        assert "</" not in code, script.name


@EVERY_PAGE
def test_the_same_records_make_the_same_page(name: str, page: str) -> None:
    records, second = PAGES[name]
    assert make_page(records, second) == page


def test_cards_and_plots_are_there_where_their_data_is() -> None:
    text = Outline(page_named("one student")).words
    for title in ("Accuracy", "Consistency", "ECE, 15 equal-width bins", "Teacher right"):
        assert title in text
    for title in ("Label and rationale", "Reliability", "Risk and coverage"):
        assert title in text
    assert " against student" not in text
    assert 'CVI against chance needs the figures of "mitools eval --summary FILE"' in text


def test_two_students_are_named_and_compared() -> None:
    text = Outline(page_named("two students")).text
    assert "second against student" in text
    assert "fixed 5, broken 5, both right 5, both wrong 0; exact McNemar p = 1.000" in text
    assert "accuracy +0.0 points (" in text
    assert text.count("Accuracy by confidence.") == 2


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no student", "no record has a student's answer"),
        ("bare", "no record has a student's answer"),
        ("nothing", "no record has a student's answer"),
        ("no gold", "no record has both a gold label and a student's confidence"),
        ("one student", "the answers are not one fixed set of labels"),
    ],
)
def test_what_is_not_there_is_said_with_its_reason(name: str, reason: str, page: str) -> None:
    assert reason in Outline(page).text


def test_fixed_labels_have_a_confusion_matrix_that_filters() -> None:
    page = page_named("labels")
    filters = [
        str(attributes["data-filter"])
        for tag, attributes in Outline(page).elements
        if tag == "button" and "gold=" in str(attributes.get("data-filter", ""))
    ]
    assert "gold=neutral&given=neutral" in filters
    pairs = [(row["gold_label"], row.get("given_label")) for row in rows_in(page)]
    assert pairs[:2] == [("entailment", "neutral"), ("neutral", "neutral")]
    assert pairs[20] == ("contradiction", None)


def metric(value: float, **more: Any) -> dict[str, Any]:
    return {"value": value, "ci95": None, "n": 30, "status": "ok", "reason": None, **more}


def test_a_summary_brings_what_is_not_computed_here() -> None:
    records = PAGES["one student"][0]
    values = {"observed_cvi": 0.21, "permuted_cvi": [0.0, -0.01, -0.02]}
    net = metric(0.2, unit="bits", p_value=0.01, **values)
    summary = {
        "records": 30,
        "label": {"accuracy": metric(20 / 30, unit="fraction")},
        "association": {"cvi_net": net},
        "provenance": {"software": {"python": "3.99"}},
    }
    text = Outline(make_page(records, summary=summary)).words
    assert "0.200 bits" in text
    assert "observed 0.21 bits, mean of 3 permutations -0.01; net 0.200 bits (p = 0.010)" in text
    assert "association › cvi net" in text
    assert '"python": "3.99"' in text
    assert "the figures are" not in text


def test_probes_and_a_judge_have_panels_with_plots() -> None:
    outline = Outline(make_page(PAGES["one student"][0], summary=probed()))
    text = outline.words
    for title in ("Noise in the input", "Inserted word", "Suggested wrong answer"):
        assert title in text
    assert "accuracy lost to noise 3.1 points -1.0 to 5.2 · n 200" in text
    assert "inserted words mentioned undefined: none of 8 insertions changes" in text
    assert "judge's score 3.50 of 5 3.20 to 3.80 · n 10" in text
    assert "by gpt-x, shown 10 of 200 records" in text
    labels = [str(attributes.get("aria-label")) for tag, attributes in outline.elements]
    assert "Scores: 1 1 times, 2 1 times, 3 2 times, 4 4 times, 5 2 times" in labels
    assert any(label.startswith("accuracy, 90% at 0, 80% at 0.5") for label in labels)


def test_a_block_that_does_not_apply_says_so_once() -> None:
    why = "the student was trained to answer, not to explain"
    summary = unprobed("not_applicable", why)
    records = [{**choice(i), "student": {"label": "sea", "trained": ["label"]}} for i in range(9)]
    text = Outline(make_page(records, summary=summary)).words
    assert (
        "Consistency · Noise in the input · Attribution · Inserted word · "
        f"Suggested wrong answer · Label and rationale {why}"
    ) in text
    assert "Not requested LLM judge" in text
    assert "student trained on label only" in text


def test_two_students_have_their_own_figures_in_a_panel() -> None:
    page = make_page(*PAGES["two students"], probed(), probed())
    text = Outline(page).words
    assert text.count("3.1 points") == 2
    assert "Not shown" in text
    one = Outline(make_page(*PAGES["two students"], probed(), unprobed())).words
    assert "Noise in the input, second" in one


def test_hostile_probes_and_judges_add_no_element() -> None:
    records = PAGES["one student"][0]
    tame = [tag for tag, _ in Outline(make_page(records, summary=hostile_summary("x"))).elements]
    for name, text in HOSTILE.items():
        page = make_page(records, summary=hostile_summary(text))
        outline = Outline(page)
        assert [tag for tag, _ in outline.elements] == tame, name
        page.encode()


def test_a_summary_of_other_records_is_doubted_on_the_page() -> None:
    summary = {"records": 999, "label": {"accuracy": metric(0.5)}}
    text = Outline(make_page(PAGES["one student"][0], summary=summary)).text
    assert "the figures are of 999 records; this page has 30" in text


def test_a_metric_that_does_not_apply_says_why() -> None:
    net = {"value": None, "status": "undefined", "reason": "too few rationales", "n": 0}
    summary = {"association": {"cvi_net": net}}
    text = Outline(make_page(PAGES["one student"][0], summary=summary)).words
    assert "CVI against chance too few rationales" in text


def test_the_facts_say_what_the_page_holds() -> None:
    page = make_page(PAGES["one student"][0], read=1234, selection="--wrong --grep 'a b'")
    text = Outline(page).words
    assert "records 30 of 1,234 read" in text
    assert "splits valid, test" in text
    assert "filters --wrong --grep 'a b'" in text
    assert "student@0123456789ab" in text


INKS = (
    "ink",
    "quiet",
    "accent",
    "right",
    "wrong",
    "caution",
    "gold",
    "teacher",
    "student",
    "second",
    "third",
    "fourth",
    "fifth",
)


def test_colours_have_enough_contrast_in_light_and_dark() -> None:
    style = files("mitools.explain.page").joinpath("templates", "base.css").read_text("utf-8")
    light, dark = (
        dict(re.findall(r"--(\w+): (#\w{6});", part)) for part in style.split("@media", 2)[:2]
    )
    assert light.keys() == dark.keys()
    for theme in (light, dark):
        for ink in INKS:
            for paper in ("back", "sheet", "select"):
                assert contrast(theme[ink], theme[paper]) >= 4.5, (ink, paper, theme[ink])
        for paper in ("heat", "good", "mark"):
            assert contrast(theme["ink"], theme[paper]) >= 4.5, paper


def contrast(first: str, second: str) -> float:
    """Give the contrast ratio of WCAG 2, 1 to 21."""
    bright, dim = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def luminance(color: str) -> float:
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_templates_are_inside_the_package() -> None:
    import mitools

    folder = Path(str(files("mitools.explain.page").joinpath("templates")))
    assert folder.is_relative_to(Path(str(mitools.__file__)).parent)
    assert {path.suffix for path in folder.iterdir()} == {".html", ".css", ".js"}


def test_a_summary_of_eval_fits_the_page() -> None:
    from mitools.evaluate.score import scored
    from mitools.evaluate.summary import SummaryBuilder
    from mitools.tasks import task_of

    tally, records = SummaryBuilder(), PAGES["one student"][0]
    for record in records:
        tally.add(scored(record, task_of(record)), task_of(record))
    page = make_page(records, summary=as_json(tally.summary(seed=0)))
    text = Outline(page).text
    assert "the figures are" not in text
    assert "overlap › teacher › bleu" in text


def test_figures_of_the_evaluated_split_fit_a_page_with_the_records_that_fitted_a_parameter() -> (
    None
):
    records = PAGES["one student"][0]  # 15 of the split valid, 15 of test
    right = sum(record["student"]["label"] == "sea" for record in records[1::2])
    accuracy = {"value": right / 15, "status": "ok", "n": 15, "unit": "fraction"}
    page = make_page(records, summary={"records": 15, "label": {"accuracy": accuracy}})
    text = Outline(page).words
    assert "the figures are of" not in text
    assert "figures of 15 records; 15 of the split valid are left out" in text
    assert len(rows_in(page)) == 30
    # Plots are of the same records as the figures.
    labels = [str(attributes.get("aria-label")) for _, attributes in Outline(page).elements]
    answers = [int(found[1]) for label in labels if (found := re.search(r": (\d+) answers", label))]
    assert sum(answers) == 15


def accuracy_shown(page: str) -> str:
    found = re.search(r"Main figures.*?<b>(.*?)</b>", page, re.DOTALL)
    assert found is not None
    return found[1]


def test_without_a_summary_the_figures_are_of_the_records_that_eval_takes_by_default() -> None:
    splits = ("test", "train", "valid", None)
    records = [choice(i, split=splits[i % 4]) for i in range(40)]
    taken = [one for one in records if one["split"] in ("test", None)]
    right = sum(one["student"]["label"] == "sea" for one in taken)
    page = make_page(records)
    assert accuracy_shown(page) == f"{100 * right / 20:.1f}%"
    text = Outline(page).words
    said = "of 20 records; 10 of the split train and 10 of the split valid are left out"
    assert f"figures {said}" in text
    assert len(rows_in(page)) == 40
    assert accuracy_shown(page) == accuracy_shown(make_page(taken))
    assert " are left out" not in Outline(make_page(taken)).words


def test_records_with_a_role_are_left_out_for_their_own_reason() -> None:
    records = [choice(i, split="test") for i in range(10)]
    for one in records[:3]:
        one["scores"] = {"role": "calibration"}
    records.append(choice(10, split="train"))
    text = Outline(make_page(records)).words
    assert (
        "figures of 7 records; 3 that chose a threshold or fitted a parameter "
        "and 1 of the split train are left out"
    ) in text


def test_records_of_train_and_valid_alone_are_all_counted() -> None:
    records = [choice(i, split=("train", "valid")[i % 2]) for i in range(10)]
    page = make_page(records)
    assert accuracy_shown(page) == "60.0%"
    assert " are left out" not in Outline(page).words
    # Those that chose a threshold are, unless all did.
    for one in records[:4]:
        one["scores"] = {"role": "calibration"}
    assert "figures of 6 records; 4 that chose" in Outline(make_page(records)).words
    for one in records:
        one["scores"] = {"role": "calibration"}
    assert accuracy_shown(make_page(records)) == "60.0%"


def test_a_summary_of_all_splits_keeps_all_records_in_the_plots() -> None:
    records = PAGES["one student"][0]
    page = make_page(records, summary={"records": 30, "label": {"accuracy": metric(2 / 3)}})
    text = Outline(page).words
    assert " are left out" not in text
    assert "the figures are" not in text
    labels = [str(attributes.get("aria-label")) for _, attributes in Outline(page).elements]
    answers = [int(found[1]) for label in labels if (found := re.search(r": (\d+) answers", label))]
    assert sum(answers) == 30


def test_a_page_of_other_records_is_still_doubted() -> None:
    summary = {"records": 14, "label": {"accuracy": metric(0.5)}}
    text = Outline(make_page(PAGES["one student"][0], summary=summary)).text
    assert "the figures are of 14 records; this page has 30" in text

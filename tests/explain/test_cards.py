"""Cards: figures in words, and what is missing."""

from __future__ import annotations

from mitools.explain.cards import MissingFigure, all_figures, by_reason, cards, missing_of
from tests.explain.figures import metric


def test_a_card_says_value_interval_and_n() -> None:
    summary = {"label": {"accuracy": metric(unit="fraction", higher_is_better=True)}}
    ((card,), _) = cards({"student": summary})
    (figure,) = card.figures
    assert (card.title, card.direction) == ("Accuracy", "higher is better")
    assert (figure.value, figure.between, figure.n) == ("50.0%", "40.0 to 60.0", "n 200")
    assert figure.strip is not None
    assert (figure.strip.value, figure.strip.interval) == (50.0, (40.0, 60.0))


def test_a_band_of_chance_and_a_p_value_are_said() -> None:
    summary = {
        "calibration": {
            "ece_width": metric(unit="fraction", value=0.1, ci95=None, null95=[0.02, 0.08])
        },
        "association": {"cvi_net": metric(unit="bits", p_value=0.0004, value=-0.01)},
    }
    (net, ece), _ = cards({"student": summary})
    assert ece.figures[0].between == "2.0 to 8.0 by chance"
    assert ece.figures[0].strip is not None
    assert ece.figures[0].strip.null == (16.0, 64.0)
    assert (net.figures[0].value, net.figures[0].between) == (
        "-0.010 bits",
        "0.400 to 0.600, p < 0.001",
    )
    assert net.figures[0].strip is None


def test_two_students_share_a_card() -> None:
    first = {"label": {"accuracy": metric(unit="fraction")}}
    second = {"label": {"accuracy": metric(unit="fraction", value=0.75)}}
    ((card,), _) = cards({"student": first, "second": second})
    assert [(figure.who, figure.value) for figure in card.figures] == [
        ("student", "50.0%"),
        ("second", "75.0%"),
    ]


def test_a_measure_that_is_undefined_makes_no_card_and_says_why() -> None:
    summary = {
        "label": {"accuracy": metric(status="undefined", value=None, reason="no gold")},
        "calibration": {"auroc": metric(status="not_applicable", value=None, reason="never")},
    }
    found, missing = cards({"student": summary})
    assert found == []
    assert [(one.name, one.reason) for one in missing] == [
        ("Accuracy", "no gold"),
        ("AUROC of confidence", "never"),
    ]


def test_every_metric_is_listed_with_its_status_and_reason() -> None:
    summary = {
        "records": 3,
        "a": {"b_c": {"d": metric(unit="points")}},
        "e": metric(status="not_applicable", value=None, reason="it is so"),
    }
    rows = all_figures({"student": summary, "second": {"e": metric(unit="ratio")}})
    assert [(name, [(one.value, one.reason) for one in found]) for name, found in rows] == [
        ("a › b c › d", [("0.5", ""), ("", "")]),
        ("e", [("", "not applicable: it is so"), ("0.500", "")]),
    ]


def test_what_both_students_lack_for_one_reason_is_said_once() -> None:
    why = {"status": "undefined", "value": None, "reason": "too few"}
    other = {**why, "reason": "none at all"}
    assert missing_of("CVI", {"student": why, "second": dict(why)}, 2) == [
        MissingFigure("CVI", "too few")
    ]
    assert [one.name for one in missing_of("CVI", {"student": why, "second": other}, 2)] == [
        "CVI, student",
        "CVI, second",
    ]
    assert [one.name for one in missing_of("CVI", {"second": why}, 2)] == ["CVI, second"]


def test_what_is_missing_for_one_reason_stands_together() -> None:
    missing = [
        MissingFigure("a", "x"),
        MissingFigure("b", "y"),
        MissingFigure("c", "x"),
        MissingFigure("a", "x"),
    ]
    assert by_reason(missing) == [("a · c", "x"), ("b", "y")]

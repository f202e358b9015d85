"""The probes by name."""

from __future__ import annotations

from typing import get_args

import pytest

from mitools.errors import MitoolsError, StudentError
from mitools.evaluate.probes import PROBES, ProbeName
from mitools.evaluate.probes.run import run_probes, unasked_probes, untrained_probes
from tests.evaluate.probes.subjects import Talker, choice, subject

pytestmark = pytest.mark.usefixtures("few_resamples")


def test_every_probe_has_a_name() -> None:
    assert get_args(ProbeName) == PROBES


def test_requested_probes_run_once_each_in_their_own_order() -> None:
    probed = subject(Talker(lambda _text: "sea"), [choice(n) for n in range(3)])
    errors: list[MitoolsError] = []
    found = run_probes(probed, ["editing", "cue", "cue"], errors.append)
    assert not errors
    assert list(found) == ["cue", "editing"]
    assert found["cue"]["followed"].status == "ok"
    assert {metric.status for metric in found["editing"].values()} == {"not_applicable"}


def test_a_probe_that_fails_leaves_the_others_their_figures() -> None:
    class Broken:
        def noise(self, *_given: object) -> None:
            raise StudentError("the embeddings cannot be reached", hint="use another one")

    probed = subject(Talker(lambda _text: "sea"), [choice(1)], Broken())
    errors: list[MitoolsError] = []
    found = run_probes(probed, ["robustness", "cue"], errors.append)
    assert [str(error) for error in errors] == ["the embeddings cannot be reached; use another one"]
    reasons = {metric.reason for metric in found["robustness"].values()}
    assert reasons == {"the probe failed: the embeddings cannot be reached"}
    assert found["robustness"].keys() == unasked_probes()["robustness"].keys()
    assert found["cue"]["followed"].status == "ok"


def test_probes_that_nobody_asked_for_say_how_to_ask() -> None:
    found = unasked_probes()
    assert list(found) == ["robustness", "attribution", "counterfactual", "cue"]
    assert {metric.status for block in found.values() for metric in block.values()} == {"skipped"}
    assert '"--probe cue"' in str(found["cue"]["followed"].reason)


def test_a_student_that_was_not_trained_to_explain_cannot_be_probed() -> None:
    found = untrained_probes(["cue", "editing"])
    assert list(found) == ["cue"]
    assert {metric.status for metric in found["cue"].values()} == {"not_applicable"}
    assert found["cue"].keys() == unasked_probes()["cue"].keys()

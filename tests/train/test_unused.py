"""Options without effect: which are told, and that nothing is said of the others."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from mitools.cli import mitools
from mitools.train.choices import PRESETS, PresetName
from mitools.train.options import TrainOptions
from mitools.train.unused import unfinished_warmups, unused_options
from tests.train.test_conclude import batch_of, gradient, make, rows_of


def unused(**given: Any) -> list[str]:
    return [
        text.split()[0]
        for text in unused_options(TrainOptions.from_preset(None, save=Path("x"), **given), given)
    ]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, []),
        ({"mi": "none", "beta": 0.1, "gamma": 0.5}, ["--gamma", "--beta"]),
        ({"mi": "maxpool", "beta": 0.1, "mi_pool": "mean", "mi_divergence": "js"}, []),
        ({"mi": "ba", "mi_pool": "mean", "mi_divergence": "js"}, ["--mi-divergence"]),
        ({"mi": "infonce", "mi_pool": "mean", "mi_critic": "states"}, ["--mi-pool"]),
        ({"mi": "infonce", "mi_pool": "mean", "mi_critic": "vocabulary"}, []),
        ({"mi": "paper", "mi_gradient": "rationale"}, ["--mi-gradient"]),
        ({"mi": "conclude", "mi_temperature": 2.0, "gamma": 0.5}, ["--mi-temperature"]),
        ({"mi": "conclude", "mi_temperature": 2.0, "beta": 0.5}, []),
        ({"mi": "conclude", "mi_temperature": 2.0, "rationale_weights": "informative"}, []),
        ({"mi": "conclude", "beta_warmup": 5}, ["--beta-warmup"]),
        ({"mi": "infonce", "beta_warmup": 5}, []),
        ({"mi": "infonce", "mi_control": "shuffled"}, ["--mi-control"]),
        ({"soft_weight": 0.5}, ["--soft-weight"]),
        ({"epochs": 2.0}, []),
        ({"epochs": 2.0, "max_steps": 5}, ["--epochs"]),
        ({"soft_weight": 0.5, "soft_labels": True}, []),
    ],
    ids=lambda value: " ".join(map(str, value)) or "-",
)
def test_options_without_effect_are_named(given: dict[str, Any], names: list[str]) -> None:
    assert unused(**given) == names


@pytest.mark.parametrize(
    ("rest", "name", "values"),
    [
        ({"beta": 0.0}, "mi_temperature", (1.0, 5.0)),
        ({"beta": 0.5}, "mi_temperature", (1.0, 5.0)),
        ({"rationale_weights": "informative"}, "mi_temperature", (1.0, 5.0)),
        ({}, "gamma", (0.2, 0.7)),
        ({"mi": "maxpool"}, "gamma", (0.2, 0.7)),
        ({"mi": "maxpool"}, "mi_pool", ("max", "mean")),
        ({"mi": "conclude"}, "mi_pool", ("max", "mean")),
        ({"mi": "none"}, "beta", (0.1, 0.9)),
        ({"mi": "maxpool"}, "beta", (0.1, 0.9)),
    ],
    ids=str,
)
def test_an_option_is_told_where_it_changes_no_gradient(
    request: pytest.FixtureRequest, rest: dict[str, Any], name: str, values: tuple[Any, Any]
) -> None:
    found = []
    for value in values:
        given = {"mi": "conclude", **rest, name: value}
        chosen = TrainOptions.from_preset(None, save=Path("x"), **given)
        model = make(request, "tiny_causal", **asdict(chosen.objective)).train()
        model(**batch_of(model.codec, rows_of(model.codec)))["loss"].backward()
        found.append(gradient(model))
    is_told = bool(unused_options(chosen, {name}))
    assert torch.equal(*found) == is_told


@pytest.mark.parametrize("preset", PRESETS)
def test_what_a_preset_sets_is_not_told(preset: PresetName) -> None:
    options = TrainOptions.from_preset(preset, save=Path("x"), mi="none")
    assert unused_options(options, {"mi"}) == []


def warmups(total_steps: int, **given: Any) -> list[str]:
    options = TrainOptions.from_preset(None, save=Path("x"), **given)
    return unfinished_warmups(options, total_steps)


def test_a_warm_up_that_is_longer_than_the_run_is_told() -> None:
    rate = {"learning_rate": 1e-4, "warmup_steps": 100}
    assert warmups(101, **rate) == []
    assert warmups(100, **rate) == [
        "--warmup-steps 100: in 100 steps --lr reaches 9.9e-05, not 0.0001"
    ]
    weight = {"mi": "maxpool", "beta": 0.1, "beta_warmup": 100}
    assert warmups(100, **weight) == []
    assert warmups(1, **weight) == ["--beta-warmup 100: in 1 step --beta reaches 0.001, not 0.1"]
    assert warmups(1, **{**weight, "mi": "none"}) == []
    assert len(warmups(4, **rate, **weight)) == 2


def test_train_says_it_before_it_reads(tmp_path: Path) -> None:
    arguments = ["train", "--save", str(tmp_path / "s"), "--student", "scratch", "--gamma", "0.5"]
    done = CliRunner().invoke(mitools, arguments, input="{}\n")
    told = "mitools train: warning: --gamma has no effect: it needs --mi conclude or name"
    assert done.exit_code != 0
    assert done.stderr.splitlines()[0] == told
    assert told not in CliRunner().invoke(mitools, [*arguments, "-q"], input="{}\n").stderr
    assert told not in CliRunner().invoke(mitools, [*arguments, "--alpha", "2"]).stderr

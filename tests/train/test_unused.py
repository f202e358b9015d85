"""Options without effect: which are told, and that nothing is said of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mitools.cli import mitools
from mitools.train.choices import PRESETS, PresetName
from mitools.train.options import TrainOptions
from mitools.train.unused import unused_options


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
        ({"mi": "conclude", "beta_warmup": 5}, ["--beta-warmup"]),
        ({"mi": "infonce", "beta_warmup": 5}, []),
        ({"mi": "infonce", "mi_control": "shuffled"}, ["--mi-control"]),
        ({"soft_weight": 0.5}, ["--soft-weight"]),
        ({"soft_weight": 0.5, "soft_labels": True}, []),
    ],
    ids=lambda value: " ".join(map(str, value)) or "-",
)
def test_options_without_effect_are_named(given: dict[str, Any], names: list[str]) -> None:
    assert unused(**given) == names


@pytest.mark.parametrize("preset", PRESETS)
def test_what_a_preset_sets_is_not_told(preset: PresetName) -> None:
    options = TrainOptions.from_preset(preset, save=Path("x"), mi="none")
    assert unused_options(options, {"mi"}) == []


def test_train_says_it_before_it_reads(tmp_path: Path) -> None:
    arguments = ["train", "--save", str(tmp_path / "s"), "--student", "scratch", "--gamma", "0.5"]
    done = CliRunner().invoke(mitools, arguments, input="{}\n")
    told = "mitools train: warning: --gamma has no effect: it needs --mi conclude"
    assert done.exit_code != 0
    assert done.stderr.splitlines()[0] == told
    assert told not in CliRunner().invoke(mitools, [*arguments, "-q"], input="{}\n").stderr
    assert told not in CliRunner().invoke(mitools, [*arguments, "--alpha", "2"]).stderr

"""Options of a run: presets, defaults, and what reading them imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mitools.train.choices import PRESETS
from mitools.train.losses.objective import Objective
from mitools.train.options import TrainOptions


def test_a_given_option_overrides_a_preset() -> None:
    options = TrainOptions.from_preset("paper", save=Path("x"), batch_size=8)
    assert options.batch_size == 8
    wanted = {name: value for name, value in PRESETS["paper"].items() if name != "batch_size"}
    assert {name: getattr(options, name) for name in wanted} == wanted
    assert TrainOptions.from_preset(None, save=Path("x")) == TrainOptions(Path("x"))


def test_epochs_replace_the_steps_of_a_preset() -> None:
    options = TrainOptions.from_preset("paper", save=Path("x"), epochs=2.0)
    assert (options.epochs, options.max_steps) == (2, None)
    options = TrainOptions.from_preset("paper", save=Path("x"), epochs=2.0, max_steps=7)
    assert options.max_steps == 7


def test_the_folder_may_be_a_string() -> None:
    assert TrainOptions(save="runs/x", student="scratch:tiny").save == Path("runs/x")  # type: ignore[arg-type]


def test_options_and_objective_have_the_same_defaults() -> None:
    assert TrainOptions(Path("x")).objective == Objective()
    assert Objective().mi == "none"


def test_options_are_read_without_torch() -> None:
    script = "import sys, mitools.train.options; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr

"""The choice of the losses, without torch; invalid ones are refused."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mitools.errors import UsageError
from mitools.train.losses.combination import Objective, check_weights


def test_the_papers_term_never_moves_the_label() -> None:
    with pytest.raises(UsageError, match="--mi-gradient"):
        Objective(mi="paper", gradient="both").check()
    assert not Objective(mi="paper").moves_label
    assert not Objective(mi="maxpool").moves_label
    assert Objective(mi="infonce").moves_label


def test_the_control_of_the_distillation_needs_one() -> None:
    with pytest.raises(UsageError, match=r'--mi-control past needs --beta above 0.* add "--beta 0'):
        Objective(mi="conclude", beta=0.0, control="past").check()
    Objective(mi="conclude", beta=0.1, control="past").check()


@pytest.mark.parametrize(
    ("alpha", "beta", "mi", "word"),
    [(1.5, 0.1, "none", "--alpha"), (0.5, -1, "maxpool", "--beta"), (1.0, 0.1, "paper", "--mi")],
)
def test_senseless_weights_are_refused(alpha: float, beta: float, mi: str, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        check_weights(alpha, beta, mi)  # type: ignore[arg-type]


def test_options_are_checked_without_torch() -> None:
    code = (
        "import sys; from pathlib import Path; from mitools import TrainOptions;"
        "TrainOptions(Path('x'), mi='conclude').check();"
        "sys.exit(bool({'torch', 'transformers', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

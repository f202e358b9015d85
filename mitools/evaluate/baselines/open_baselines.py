"""Make the baselines that were asked for; encoders are loaded before any record is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mitools.asking.predict import OpenedStudent
from mitools.evaluate.baselines import names
from mitools.evaluate.baselines.encoder import Encoder, encoder_baseline, open_encoder
from mitools.evaluate.baselines.protocol import Baseline
from mitools.evaluate.options import EvalOptions
from mitools.student.protocol import Student

__all__ = ["make_baselines", "open_encoders"]


def open_encoders(specs: Sequence[str], device: str | None) -> dict[str, Encoder]:
    """Load the encoders of the baselines, by the name of the baseline.

    Raises:
        SourceError: one is not a usable encoder.
        MissingExtraError: the package of one is not installed.
    """
    return {
        name: open_encoder(name.removeprefix(names.ENCODER), device)
        for name in specs
        if name.startswith(names.ENCODER)
    }


def make_baselines(
    options: EvalOptions,
    encoders: dict[str, Encoder],
    opened: OpenedStudent | None,
    weight: float | None,
) -> dict[str, Baseline]:
    """Make the baselines of the options, by name and in their order.

    Args:
        options: which ones, and the seed.
        encoders: the open encoders, by the name of their baseline.
        opened: the student; None where the records hold answers.
        weight: of its predict pass in answers by both readings, where there is one.
    """
    makers: dict[str, Callable[[], Baseline]] = {
        names.MAJORITY: _majority,
        names.TFIDF: lambda: _tfidf(options.seed),
        names.ARITHMETIC: lambda: _arithmetic(options.seed),
    }
    made: dict[str, Baseline] = {}
    for name in options.baselines:
        if name in encoders:
            made[name] = encoder_baseline(encoders[name], options.seed)
        elif name != names.UNTRAINED:
            made[name] = makers[name]()
        elif opened is not None:
            made[name] = _untrained(opened, options, weight)
    return made


def _majority() -> Baseline:
    from mitools.evaluate.baselines.majority import Majority

    return Majority()


def _tfidf(seed: int) -> Baseline:
    from mitools.evaluate.baselines.tfidf import tfidf_baseline

    return tfidf_baseline(seed)


def _arithmetic(seed: int) -> Baseline:
    from mitools.evaluate.baselines.arithmetic import Arithmetic

    return Arithmetic(seed)


def _untrained(opened: OpenedStudent, options: EvalOptions, weight: float | None) -> Baseline:
    from mitools.evaluate.baselines.untrained import Untrained

    def open_base(student: Student) -> Student:
        from mitools.student.untrained import open_untrained

        return open_untrained(student)

    return Untrained(opened.student, options, weight, open_base)

"""Experiment trackers that also receive the figures of the log: TensorBoard, wandb, Trackio.

The integrations of transformers send each log line to them: ``train/label_loss``,
``eval/accuracy``, ``eval/mi_estimate`` and so on. A tracker decides by its own settings whether
figures leave the machine (``WANDB_MODE=offline``, ``TRACKIO_SPACE_ID``).
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from mitools.errors import MissingExtraError, TrainingError, UsageError
from mitools.files import LineStream, output_errors
from mitools.train.choices import Tracker

__all__ = [
    "PROJECT",
    "check_trackers",
    "names_of_run",
    "tensorboard_folder",
    "tracker_notes",
    "tracking",
]

PROJECT = "mitools"
"""Name of the project in wandb and Trackio; ``WANDB_PROJECT`` and ``TRACKIO_PROJECT`` override."""

_KNOWN: tuple[Tracker, ...] = get_args(Tracker)


def check_trackers(names: Sequence[str]) -> None:
    """Refuse an unknown tracker, or one whose package is not installed; nothing is imported.

    Raises:
        UsageError: the name is not known.
        MissingExtraError: the package is missing.
    """
    for name in names:
        if name not in _KNOWN:
            known = ", ".join(_KNOWN)
            raise UsageError(f'--log-to must be one of {known}, not "{name}"')
        if importlib.util.find_spec(name) is None:
            hint = f'run "pip install mitools[{name}]"'
            raise MissingExtraError(f"--log-to {name} needs the package {name}", hint=hint)


def tensorboard_folder(save: Path) -> Path:
    """Return the folder of a run's event files: ``tensorboard/NAME`` beside the student.

    ``TENSORBOARD_LOGGING_DIR`` replaces ``tensorboard``. It is not in the work folder, which is
    deleted when training is complete.
    """
    chosen = os.environ.get("TENSORBOARD_LOGGING_DIR")
    folder = Path(chosen).expanduser() if chosen else save.parent / "tensorboard"
    return folder / save.name


def names_of_run(save: Path) -> dict[str, Any]:
    """Return the arguments of transformers' trainer that name a run and its project.

    ``report_to`` is empty, as :func:`tracking` makes the callbacks.
    """
    return {"run_name": save.name, "project": _project("TRACKIO_PROJECT"), "report_to": []}


def tracker_notes(names: Sequence[str], save: Path) -> Iterator[str]:
    """Yield how to look at the figures, where a tracker does not print it by itself."""
    if "tensorboard" in names:
        folder = tensorboard_folder(save).parent
        yield f'figures go to TensorBoard: run "tensorboard --logdir {folder}"'


@contextlib.contextmanager
def tracking(
    names: Sequence[str],
    save: Path,
    settings: Mapping[str, Any],
    *,
    resumes: bool,
    note: Callable[[str], None],
) -> Iterator[list[Any]]:
    """Open trackers, and yield the callbacks that send figures to them.

    Args:
        names: of the trackers.
        save: the student's folder; its name is the name of the run.
        settings: the options of the run, which wandb and Trackio keep with it.
        resumes: whether the run continues an earlier one.
        note: receives what a tracker prints: stdout is for records.

    Raises:
        OutputError: the folder for TensorBoard cannot be written to.
        TrainingError: a tracker refuses, for example because there is no key.
    """
    if not names:
        yield []
        return
    openers = {"tensorboard": _tensorboard, "wandb": _wandb, "trackio": _trackio}
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(LineStream(note)))
        run = _Run(save, settings, resumes, stack)
        yield [openers[name](run) for name in dict.fromkeys(names)]


@dataclass(frozen=True)
class _Run:
    save: Path
    settings: Mapping[str, Any]
    resumes: bool
    closing: contextlib.ExitStack


def _tensorboard(run: _Run) -> Any:
    from torch.utils.tensorboard import SummaryWriter
    from transformers.integrations import TensorBoardCallback

    folder = tensorboard_folder(run.save)
    with output_errors(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
        if not run.resumes:  # the curves of two runs would be mixed
            for old in folder.glob("events.out.tfevents.*"):
                old.unlink()
        writer = SummaryWriter(str(folder))
    run.closing.callback(writer.close)
    return TensorBoardCallback(writer)


def _wandb(run: _Run) -> Any:
    import wandb
    from transformers.integrations import WandbCallback

    with _refusals("wandb", 'run "wandb login", or set WANDB_MODE=offline'):
        wandb.init(
            project=_project("WANDB_PROJECT"),
            name=run.save.name,
            config=dict(run.settings),
            settings=wandb.Settings(console="off"),  # stdout carries records
        )
    run.closing.callback(wandb.finish)
    return WandbCallback()


def _trackio(run: _Run) -> Any:
    import trackio
    from transformers.integrations import TrackioCallback

    # The callback would open a run of this name again; a new run must not be mixed with it.
    with _refusals("trackio", "check TRACKIO_DIR and TRACKIO_SPACE_ID"):
        trackio.init(
            project=_project("TRACKIO_PROJECT"),
            name=run.save.name,
            config=dict(run.settings),
            resume="allow" if run.resumes else "never",
        )
    callback = TrackioCallback()
    callback._initialized = True
    return callback


@contextlib.contextmanager
def _refusals(name: str, hint: str) -> Iterator[None]:
    """Turn whatever a tracker raises into one line."""
    try:
        yield
    except Exception as exc:
        reason = " ".join(str(exc).split()) or type(exc).__name__
        raise TrainingError(f"{name} cannot be used: {reason}", hint=hint) from exc


def _project(variable: str) -> str:
    return os.environ.get(variable) or PROJECT

"""From the values of ``mitools eval``'s options to the options of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mitools.cli._options import typed
from mitools.errors import UsageError
from mitools.evaluate.options import EvalOptions, JudgeOptions, check_runs
from mitools.files import STDIN

__all__ = ["RunFiles", "eval_options"]

_JUDGE = ("judge", "--judge MODEL")
_STUDENT = ("student", "--student DIR")
_NEEDS = {
    "judge_url": _JUDGE,
    "judge_journal": _JUDGE,
    "judge_records": _JUDGE,
    "probe_records": ("probe", "--probe cue"),
    "batch_size": _STUDENT,
    "tokens_per_batch": _STUDENT,
    "decode": _STUDENT,
    "precision": _STUDENT,
    "student_price": _STUDENT,
}
"""Parameters that have an effect only beside another one, with how to type that."""


@dataclass(frozen=True)
class RunFiles:
    """The options that say what is read and written, and what several inputs are.

    Attributes:
        student: folder of the student that answers; None where the records hold answers.
        summary: where the summary is written.
        compare: files of the baseline's runs.
        seeds: each input is a run with a seed of its own.
        merge: the inputs are shards of one run.
    """

    student: str | None
    summary: str | None
    compare: tuple[str, ...]
    seeds: bool
    merge: bool

    def check(self, inputs: tuple[str, ...], options: EvalOptions) -> None:
        """Raise :class:`UsageError` where the files do not go together."""
        if self.merge and self.student:
            hint = 'leave out "--student", or "--merge"'
            raise UsageError("--merge needs records that hold answers", hint=hint)
        check_runs(
            len(inputs),
            len(self.compare),
            by_seed=self.seeds,
            has_student=self.student is not None,
            has_judge=options.judge is not None,
        )
        if self.seeds and options.baselines:
            hint = 'leave out "--baseline", or "--seeds"'
            raise UsageError("--baseline is compared with one run", hint=hint)
        if self.seeds and self.merge:
            raise UsageError("--seeds and --merge exclude each other", hint='leave out "--merge"')
        if STDIN in self.compare:
            raise UsageError("a baseline cannot come from stdin", hint="name a file")


def eval_options(params: Mapping[str, Any], files: RunFiles) -> EvalOptions:
    """Make the options of an evaluation from the parameters of the command."""
    _refuse_unread({**params, "student": files.student})
    values = dict(params)
    judge = [values.pop(name) for name in ("judge", "judge_url", "judge_journal", "judge_records")]
    return EvalOptions(
        probes=values.pop("probe"),
        baselines=values.pop("baseline"),
        judge=None if judge[0] is None else JudgeOptions(*judge),
        unique_ids=files.merge,
        outcomes=bool(files.compare or files.seeds),
        **values,
    )


def _refuse_unread(params: Mapping[str, Any]) -> None:
    """Refuse typed options of a judge, of probes or of a student where there is none."""
    for name in typed(_NEEDS):
        main, example = _NEEDS[name]
        if not params[main]:
            message = f"--{name.replace('_', '-')} needs --{main}"
            raise UsageError(message, hint=f'add "{example}"')

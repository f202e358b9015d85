"""What ``mitools eval`` was asked for: its options, and what they mean to the library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mitools.errors import UsageError
from mitools.evaluate.probes import ProbeName
from mitools.files import STDIN

if TYPE_CHECKING:
    from mitools.evaluate.measures.text import Similarity
    from mitools.evaluate.open_judge import JudgeOptions
    from mitools.evaluate.options import EvalOptions
    from mitools.evaluate.simulators.tally import SimulatorName

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """The command's own options."""

    student: str | None
    split: str | None
    task: str | None
    summary: str | None
    seed: int
    rationales: bool
    decode: bool
    temperature: bool
    simulator: SimulatorName
    permutations: int
    compare: tuple[str, ...]
    seeds: bool
    merge: bool
    probe: tuple[ProbeName, ...]
    probe_records: int
    embedding: str | None
    judge: str | None
    judge_url: str | None
    judge_journal: str | None
    judge_records: int
    batch_size: int
    tokens_per_batch: int | None
    device: str | None

    def settings(self, similarity: Similarity | None = None) -> EvalOptions:
        from mitools.evaluate.options import EvalOptions

        if self.temperature and self.split in ("valid", "all"):
            hint = 'leave "--split" out, or name another: "--split test"'
            raise UsageError("a temperature is fitted on valid, and judged elsewhere", hint=hint)
        return EvalOptions(
            self.task,
            self.split,
            self.rationales,
            self.decode,
            self.temperature,
            self.simulator,
            self.permutations,
            chunk=self.batch_size,
            distinct=self.merge,
            outcomes=bool(self.compare or self.seeds),
            probes=self.probe,
            kept=max(
                self.probe_records if self.probe else 0, self.judge_records if self.judge else 0
            ),
            similarity=similarity,
        )

    def judge_options(self) -> JudgeOptions | None:
        if self.judge is None:
            return None
        from mitools.evaluate.open_judge import JudgeOptions

        return JudgeOptions(self.judge, self.judge_url, self.judge_journal, self.judge_records)

    def check(self, files: tuple[str, ...]) -> None:
        """Raise :class:`UsageError` where the options do not go together."""
        for name, is_given in (("seeds", self.seeds), ("merge", self.merge)):
            if is_given and self.student:
                hint = f'leave "--student" out, or "--{name}"'
                raise UsageError(f"--{name} takes records that hold answers", hint=hint)
        if self.probe and not self.student:
            raise UsageError("--probe asks a student again", hint='name it: "--student DIR"')
        if self.probe and not self.rationales:
            hint = 'leave out "--no-rationales", or "--probe"'
            raise UsageError("a probe looks at rationales", hint=hint)
        if self.judge and (self.seeds or len(self.compare) > 1):
            hint = 'leave out "--judge", or name one run and one baseline'
            raise UsageError("a judge compares two runs at most", hint=hint)
        if self.judge and not self.rationales:
            hint = 'leave out "--no-rationales", or "--judge"'
            raise UsageError("a judge looks at rationales", hint=hint)
        if self.seeds and len(files) < 2:
            raise UsageError("--seeds needs two runs or more", hint="name a file for each run")
        if self.seeds and self.merge:
            raise UsageError("files are runs or shards, not both", hint='leave out "--merge"')
        if STDIN in self.compare:
            raise UsageError("a baseline cannot come from stdin", hint="name a file")

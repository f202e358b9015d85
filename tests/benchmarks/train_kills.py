"""Kill `mitools train` again and again, resume it, and compare with a run that was left alone.

    python tests/benchmarks/train_kills.py [--kills 40] [--seed 0]

Each trial starts a training run of a tiny student, kills it with SIGKILL, and runs the same command
with `--resume` until it ends. A quarter of the trials kill the resumed run as well. A third of the
trials wait for a later checkpoint that is just being written, a third for the student that is just
being saved (by watching the work folder), and the rest pick any moment. After each trial the
weights must be those of the uninterrupted run, bit for bit, and so must the records passed on;
nothing may be left beside them.

The runs are forked from one process that has imported everything, so a trial takes seconds. Moments
are drawn from the seed; where exactly a kill lands also depends on the machine. About three minutes
on two cores. Exit status 1 if any trial fails.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"

from tests.toys import toy_records  # noqa: E402

STEPS, EVERY = 40, 5
POLL_SECONDS = 0.0002
LATEST_SECONDS = 0.01  # after a checkpoint or the student appears


def main() -> int:
    """Run all trials and print a table; 1 if any of them failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="mitools-kills-") as name:
        return Drill(Path(name), chance).run(options.kills)


class Drill:
    """The folder that everything happens in, and what has been seen so far."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder = folder
        self.chance = chance
        self.landed: Counter[str] = Counter()
        self.failures: list[str] = []
        _import_all()
        self.records = folder / "records.jsonl"
        lines = [json.dumps(record) + "\n" for record in toy_records(48)]
        self.records.write_text("".join(lines), encoding="utf-8")
        self.student = folder / "tiny"
        self._await(self._fork(lambda: _make_student(self.student), folder))
        started = time.monotonic()
        self.expected = folder / "expected"
        self.expected.mkdir()
        assert self._await(self._train(self.expected)) == 0, "the uninterrupted run failed"
        self.seconds = time.monotonic() - started

    def run(self, kills: int) -> int:
        aims = ("any", "checkpoint", "final")
        done = 0
        while done < kills:
            done += self._trial(done, aims[done % len(aims)])
        lines = [f"{done} kills; an uninterrupted run takes {self.seconds:.1f} s"]
        lines += [f"  {count:3}  {place}" for place, count in sorted(self.landed.items())]
        lines += [f"{len(self.failures)} failures", *(f"  {one}" for one in self.failures)]
        sys.stdout.write("\n".join(lines) + "\n")
        return 1 if self.failures else 0

    def _trial(self, number: int, aim: str) -> int:
        """Kill one run, perhaps twice, and finish it; gives the kills."""
        place = self.folder / f"trial-{number}"
        place.mkdir()
        kills = 0
        wanted = 2 if self.chance.random() < 0.25 else 1
        more: tuple[str, ...] = ()
        for _ in range(wanted):
            process = self._train(place, *more)
            if not self._kill(process, place, aim):
                break
            kills += 1
            self.landed[f"{aim}: {_describe(place)}"] += 1
            more = ("--resume",)
        status = self._await(self._train(place, "--resume"))
        self._compare(place, number, status)
        shutil.rmtree(place)
        return kills

    def _kill(self, process: int, place: Path, aim: str) -> bool:
        """Kill a run at the wanted moment; False if it ended before."""
        work = place / "student.work"
        moment = time.monotonic() + self.chance.random() * self.seconds
        seen: Callable[[], bool] = {
            "any": lambda: time.monotonic() >= moment,
            "checkpoint": lambda: (work / "part").is_dir() and any(work.glob("checkpoint-*")),
            "final": lambda: any(work.glob("*student*")) or (place / "student").exists(),
        }[aim]
        skipped = self.chance.randrange(STEPS // EVERY - 1) if aim == "checkpoint" else 0
        was_seen = False
        while os.waitpid(process, os.WNOHANG) == (0, 0):
            is_seen = seen()
            if is_seen and not was_seen:
                if skipped == 0:
                    time.sleep(self.chance.random() * LATEST_SECONDS)
                    os.kill(process, signal.SIGKILL)
                    return os.waitpid(process, 0)[1] == signal.SIGKILL
                skipped -= 1
            was_seen = is_seen
            time.sleep(POLL_SECONDS)
        return False

    def _compare(self, place: Path, number: int, status: int) -> None:
        wrong = []
        if status:
            error = (place / "stderr").read_text(encoding="utf-8").strip().splitlines()
            wrong.append(f"status {status}: {error[-1] if error else ''}")
        for name in ("student/model.safetensors", "student/log.jsonl", "out.jsonl"):
            mine, theirs = place / name, self.expected / name
            if not mine.exists():
                wrong.append(f"{name} is missing")
            elif name.endswith("log.jsonl"):
                if _course(mine) != _course(theirs):
                    wrong.append(f"{name} tells another course")
            elif mine.read_bytes() != theirs.read_bytes():
                wrong.append(f"{name} differs")
        found = {path.name for path in place.iterdir()}
        if extra := found - {"student", "out.jsonl", "stderr"}:
            wrong.append(f"left behind: {sorted(extra)}")
        self.failures += [f"trial {number}: {one}" for one in wrong]

    def _train(self, place: Path, *more: str) -> int:
        arguments = [
            *("train", str(self.records), "--student", str(self.student)),
            *("--save", str(place / "student"), "-o", "-"),
            *("--max-steps", str(STEPS), "--eval-every", str(EVERY), "--batch-size", "4"),
            *("--max-label-tokens", "16", "--max-rationale-tokens", "24", "--mi", "infonce"),
            *("--rationales", "sample", "--select-by", "label-loss", "--patience", "50"),
            *more,
        ]

        def train() -> None:
            from mitools.cli import main

            sys.argv = ["mitools", *arguments]
            main()

        return self._fork(train, place)

    def _fork(self, work: Callable[[], object], place: Path) -> int:
        """Run a function in a process of its own, whose output goes to files in a folder."""
        sys.stdout.flush()
        process = os.fork()
        if process:
            return process
        status = 0
        try:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for number, name in ((1, "out.jsonl"), (2, "stderr")):
                os.dup2(os.open(place / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            work()
        except SystemExit as exc:
            status = int(exc.code or 0)
        except BaseException:
            status = 70
        os._exit(status)

    @staticmethod
    def _await(process: int) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _import_all() -> None:
    """Import what a run imports; nothing is computed, so a fork is safe."""
    import mitools.cli.train
    import mitools.student.base.scratch
    import mitools.train.run  # noqa: F401


def _make_student(folder: Path) -> None:
    from mitools.student.base.scratch import build_scratch

    texts = [str(record[name]) for record in toy_records() for name in ("input", "teacher")]
    model, tokenizer = build_scratch(texts, size="tiny", seed=0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _describe(place: Path) -> str:
    """Say what the kill left."""
    work = place / "student.work"
    if (place / "student").exists():
        return "the student is saved, its records not all passed on"
    if not work.exists():
        return "before the work folder"
    if any(work.glob("*student*")):
        return "while the student was saved"
    count = len(list(work.glob("checkpoint-*")))
    if (work / "part").exists():
        return f"while a {'later' if count else 'first'} checkpoint was written"
    return "between checkpoints" if count else "before the first checkpoint"


def _course(path: Path) -> list[tuple[int, float]]:
    """Give what every validation found; training losses are means since the last line or resume."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(line["step"], line["eval_label_loss"]) for line in lines if "eval_label_loss" in line]


if __name__ == "__main__":
    sys.exit(main())

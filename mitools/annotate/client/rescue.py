"""Rescue files: paid responses that could not be written to the journal.

JSON Lines beside the journal, one file per group that could not be written; each appears whole or
not at all. The next opening of the journal takes them in.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from mitools.errors import SourceError

__all__ = ["Entry", "find_rescued", "read_rescued", "write_rescue"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One response: ``kind`` is ``ok`` and ``response`` the server's JSON, or an error's."""

    key: str
    kind: str
    response: str
    record: str = ""
    sample: int = 0


def write_rescue(journal: Path, entries: Iterable[Entry]) -> Path:
    """Write entries to a new file beside a journal, or else in the folder of temporary files.

    Raises:
        OSError: neither place can be written.
    """
    lines = [json.dumps(asdict(entry)) + "\n" for entry in entries]  # ASCII: surrogates stay
    try:
        journal.parent.mkdir(parents=True, exist_ok=True)  # the folder itself may have been deleted
        return _write(journal.parent, journal.name, lines)
    except OSError:
        return _write(Path(tempfile.gettempdir()), journal.name, lines)


def _write(folder: Path, name: str, lines: Iterable[str]) -> Path:
    handle, part = tempfile.mkstemp(prefix=f".{name}.", suffix=".part", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.writelines(lines)
            stream.flush()
            os.fsync(stream.fileno())
        random = Path(part).name.removeprefix(f".{name}.").removesuffix(".part")
        place = folder / f"{name}.rescue-{random}.jsonl"
        os.replace(part, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
    return place


def find_rescued(journal: Path) -> list[Path]:
    """Find the rescue files of a journal."""
    return sorted(journal.parent.glob(f"{glob.escape(journal.name)}.rescue-*.jsonl"))


def read_rescued(place: Path) -> list[Entry]:
    """Read a rescue file; empty if another process has just taken it in.

    Raises:
        SourceError: it is damaged.
    """
    try:
        lines = place.read_text("ascii").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as exc:
        raise _damaged(place, str(exc)) from exc
    entries = []
    for number, line in enumerate(lines, start=1):
        try:
            entry = Entry(**json.loads(line))
        except (TypeError, ValueError, RecursionError) as exc:
            raise _damaged(place, f"line {number}: {exc}") from exc
        texts = (entry.key, entry.kind, entry.response, entry.record)
        if not all(isinstance(text, str) for text in texts) or type(entry.sample) is not int:
            raise _damaged(place, f"line {number}: not an entry of a journal")
        entries.append(entry)
    return entries


def _damaged(place: Path, reason: str) -> SourceError:
    message = f"rescue file {place} is damaged ({reason})"
    return SourceError(message, hint="repair that line, or move the file away and pay again")

"""The limits on input: the length of a line, its nesting, and the digits of its numbers.

Each limit keeps one hostile or broken line from using up the memory or the time of a run. A line
beyond a limit is handled as any other invalid line; the message names the option that raises the
limit. ``mitools schema --bounds`` prints :data:`TABLE`.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEEPEST", "DEFAULTS", "JSON_BYTES", "OWN", "TABLE", "Bound", "Bounds"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits on one line of input.

    Attributes:
        line_bytes: its length in bytes, uncompressed, without the line break.
        depth: nesting of objects and lists; the record counts as one level.
        digits: digits of an integer. Python itself enforces it, for the whole
            process: see :func:`sys.set_int_max_str_digits`.
    """

    line_bytes: int = 16 * 2**20
    depth: int = 100
    digits: int = 4300


DEFAULTS = Bounds()

DEEPEST = 400
"""The largest ``depth`` allowed: far below the 1,000 nested calls of Python."""

JSON_BYTES = 256 * 2**20
"""The longest JSON list that ``load`` reads, uncompressed: a list is held in memory as a whole."""

OWN = Bounds(depth=DEEPEST)
"""For lines that mitools wrote itself, of records within the limits of their run."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One row of ``mitools schema --bounds``.

    Attributes:
        what: what is limited.
        default: its value without the option.
        option: the option that sets it; empty if it is fixed.
        why: what would happen without the limit.
    """

    what: str
    default: str
    option: str
    why: str


TABLE = (
    Bound(
        "longest line of input",
        f"{DEFAULTS.line_bytes // 2**20} MiB",
        "--max-line-bytes",
        "a line without end fills the memory; JSON takes up to 30 times its size when parsed",
    ),
    Bound(
        "nesting of a record",
        f"{DEFAULTS.depth} levels",
        "--max-depth",
        "deep nesting exhausts the stack of whatever reads it next",
    ),
    Bound(
        "digits of a whole number",
        f"{DEFAULTS.digits:,}",
        "--max-digits",
        "reading and writing a number takes the square of its digits",
    ),
    Bound(
        "JSON list, unpacked",
        f"{JSON_BYTES // 2**20} MiB",
        "--max-json-bytes",
        "a list is held whole, and a small packed file may hold any amount (load alone)",
    ),
    Bound(
        "response of a server, unpacked",
        "16 MiB",
        "--max-response-bytes",
        "a server may send without end, or a little that unpacks to much (annotate alone)",
    ),
    Bound(
        "unpacked at once (.gz, .zst)",
        "128 KiB",
        "",
        "a small file may hold any amount; it is unpacked as it is read, never whole",
    ),
    Bound(
        "window of a .zst file",
        "128 MiB",
        "",
        'a longer one (zstd --long=28 and more) is refused: unpack it first with "zstd -d"',
    ),
)

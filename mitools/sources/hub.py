"""Data sets of the Hugging Face Hub as rows, streamed; the only user of ``datasets`` in load.

Nothing that a data set brings along is executed: a data set that is a script is refused, with the
way around it (most have a Parquet copy on the branch ``refs/convert/parquet``).
"""

from __future__ import annotations

import ast
import difflib
import logging
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mitools.errors import SourceError
from mitools.records import Row
from mitools.sources.parquet import batch_rows
from mitools.sources.part import Columns, Part

__all__ = ["PARQUET_BRANCH", "PREFIX", "HubSource", "class_names", "open_hub"]

PREFIX = "hf:"
PARQUET_BRANCH = "refs/convert/parquet"
_ROWS_AT_ONCE = 100
_USUAL_SPLITS = {
    "train": "train",
    "validation": "valid",
    "valid": "valid",
    "val": "valid",
    "dev": "valid",
    "test": "test",
}


@dataclass(frozen=True)
class HubSource:
    """A data set on the Hub.

    Attributes:
        path: ``ORGANISATION/NAME``.
        name: which of its configurations (subsets); None where it has one.
        revision: branch, tag or commit.
        splits: which of its splits to read, each with the split that its records get (None: none).
            Without any, all of them are read; where they are several, those with a usual name
            (``validation`` …) say so on their records.
    """

    path: str
    name: str | None = None
    revision: str | None = None
    splits: Sequence[tuple[str, str | None]] = ()


def open_hub(source: HubSource, columns: Columns = list) -> Iterator[Part]:
    """Open the splits of a data set on the Hub, one after the other.

    Args:
        columns: chooses among its columns; those left out are never converted.

    Raises:
        SourceError: it cannot be reached, is unknown, is a script, or has no such part.
    """
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it reports each retry
    # On the branch of Parquet copies, configurations are folders.
    where = "data_dir" if source.revision == PARQUET_BRANCH else "name"
    try:
        found = datasets.load_dataset(
            source.path,
            **{where: source.name},
            revision=source.revision,
            streaming=True,
            trust_remote_code=False,
        )
    except Exception as exc:  # of a dozen kinds, which its message tells apart better than its type
        raise _explained(exc, source) from exc
    for hub_split, split in source.splits or _usual_splits(list(found)):
        if hub_split not in found:
            close = difflib.get_close_matches(hub_split, list(found), n=1) or list(found)
            hint = f'did you mean "--hf-split {close[0]}"?'
            message = f'{source.path} has no split "{hub_split}" among {", ".join(found)}'
            raise SourceError(message, hint=hint)
        name = f"{PREFIX}{source.path}/{hub_split}"
        classes = _class_names(found[hub_split].features or {})
        rows = _rows(found[hub_split], source, name, columns, classes)
        yield Part(name, rows, classes, split)


def _usual_splits(names: list[str]) -> list[tuple[str, str | None]]:
    if len(names) == 1:
        return [(names[0], None)]
    return [(name, _USUAL_SPLITS.get(name)) for name in names]


def _rows(
    stream: Any,
    source: HubSource,
    name: str,
    columns: Columns,
    classes: dict[str, tuple[str, ...]],
) -> Iterator[Row]:
    # Images and sound stay as they are. As Arrow, a cell that Python cannot hold ends nothing, and
    # rows come eight times as fast as one by one.
    encoded = stream.decode(enable=False).with_format("arrow")
    tables, number = iter(encoded.iter(batch_size=_ROWS_AT_ONCE)), 0
    while True:
        try:
            table = next(tables)
        except StopIteration:
            return
        except Exception as exc:
            raise _explained(exc, source) from exc
        yield from batch_rows(table.select(columns(table.column_names)), name, number, classes)
        number += table.num_rows


def class_names(schema: Any) -> dict[str, tuple[str, ...]]:
    """Read the class names that ``datasets`` wrote into an Arrow schema, by field."""
    import datasets

    return _class_names(datasets.Features.from_arrow_schema(schema))


def _class_names(features: Any) -> dict[str, tuple[str, ...]]:
    import datasets

    return {
        name: tuple(feature.names)
        for name, feature in features.items()
        if isinstance(feature, datasets.ClassLabel)
    }


def _explained(exc: Exception, source: HubSource) -> SourceError:
    """Say in one line what went wrong, and what to type next."""
    text = " ".join(str(exc).split())
    offered = re.search(r"available(?: configs)?: (\[[^\]]*\])", text, re.IGNORECASE)
    if "scripts are no longer supported" in text:
        message = f"{source.path} is a script, which mitools does not run"
        hint = f'try its Parquet copy: "--revision {PARQUET_BRANCH}"'
    elif "onfig name is missing" in text and offered:
        message = f"{source.path} has several configurations"
        hint = f'choose one: "--name" {_listed(offered[1])}'
    elif "not found" in text and offered:
        message = f'{source.path} has no configuration "{source.name}"'
        hint = f'choose one: "--name" {_listed(offered[1])}'
    elif _is_unreachable(exc):
        message = f"cannot reach the Hub for {source.path}"
        offline = "unset HF_HUB_OFFLINE" if _is_offline() else "check the network"
        hint = f'{offline}, or read a copy of its files: "mitools load -c RECIPE FILE"'
    elif "gated" in text:
        message = f"{source.path} is given out on request only"
        hint = "ask for access on its page and set HF_TOKEN"
    elif type(exc).__name__ == "RevisionNotFoundError" or text.startswith("Revision "):
        message = f'{source.path} has no revision "{source.revision}"'
        hint = f"look at https://huggingface.co/datasets/{source.path}/tree/main"
    elif type(exc).__name__ in ("DatasetNotFoundError", "RepositoryNotFoundError"):
        message = f"there is no data set {source.path} on the Hub, or it is private"
        hint = "check the name on https://huggingface.co/datasets, or set HF_TOKEN"
    else:
        message = f"cannot read {source.path} from the Hub: {text[:200] or type(exc).__name__}"
        hint = 'see "--debug" for where it failed'
    return SourceError(message, hint=hint)


def _listed(names: str) -> str:
    try:
        return ", ".join(map(str, ast.literal_eval(names)))
    except (ValueError, SyntaxError):
        return names


def _is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def _is_unreachable(exc: BaseException | None) -> bool:
    """Tell whether an error, or what caused it, is that of a network."""
    names = {"OfflineModeIsEnabled", "ConnectError", "ConnectTimeout", "ReadTimeout", "ReadError"}
    while exc is not None:
        if isinstance(exc, ConnectionError | TimeoutError) or type(exc).__name__ in names:
            return True
        exc = exc.__cause__ or exc.__context__
    return False

"""Data sets of the Hugging Face Hub as rows, streamed with ``datasets``.

No code of a data set is executed: a script is refused, with a hint to its Parquet copy on the
branch ``refs/convert/parquet``, which most have.
"""

from __future__ import annotations

import ast
import difflib
import logging
import os
import re
from collections.abc import Iterator
from typing import Any

from mitools.errors import SourceError
from mitools.records import Row
from mitools.sources.arrow import batch_rows, names_of_features
from mitools.sources.options import LoadOptions
from mitools.sources.part import Classes, Part
from mitools.sources.splits import usual_splits

__all__ = ["PARQUET_BRANCH", "PREFIX", "open_hub"]

PREFIX = "hf:"
PARQUET_BRANCH = "refs/convert/parquet"
_ROWS_AT_ONCE = 100


def open_hub(path: str, options: LoadOptions) -> Iterator[Part]:
    """Open the splits of a data set on the Hub, one after the other.

    Args:
        path: ``ORGANISATION/NAME``.
        options: which configuration, revision, splits and columns; other columns are never
            converted.

    Raises:
        SourceError: it is unreachable, unknown or a script, or has no such configuration or split.
    """
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it logs each retry
    # On the branch of Parquet copies, configurations are folders.
    where = "data_dir" if options.revision == PARQUET_BRANCH else "name"
    try:
        dataset = datasets.load_dataset(
            path,
            **{where: options.name},
            revision=options.revision,
            streaming=True,
            trust_remote_code=False,
        )
    except Exception as exc:  # of a dozen types; the message tells more than the type
        raise _explained(exc, path, options) from exc
    for hub_split, split in options.hf_splits or usual_splits(list(dataset)):
        if hub_split not in dataset:
            close = difflib.get_close_matches(hub_split, list(dataset), n=1) or list(dataset)
            hint = f'did you mean "--hf-split {close[0]}"?'
            message = f'{path} has no split "{hub_split}" among {", ".join(dataset)}'
            raise SourceError(message, hint=hint)
        name = f"{PREFIX}{path}/{hub_split}"
        classes = names_of_features(dataset[hub_split].features or {})
        rows = _rows(dataset[hub_split], path, options, name, classes)
        yield Part(name, rows, classes, split, columns=tuple(dataset[hub_split].features or ()))


def _rows(
    stream: Any, path: str, options: LoadOptions, name: str, classes: Classes
) -> Iterator[Row]:
    # Images and sound are not decoded. With Arrow tables, a cell that Python cannot represent does
    # not end the stream, and rows come eight times as fast as one by one.
    encoded = stream.decode(enable=False).with_format("arrow")
    tables, number = iter(encoded.iter(batch_size=_ROWS_AT_ONCE)), 0
    while True:
        try:
            table = next(tables)
        except StopIteration:
            return
        except Exception as exc:
            raise _explained(exc, path, options) from exc
        yield from batch_rows(
            table.select(options.columns(table.column_names)), name, number, classes
        )
        number += table.num_rows


def _explained(exc: Exception, path: str, options: LoadOptions) -> SourceError:
    """Turn an error of ``datasets`` into one line with a hint."""
    text = " ".join(str(exc).split())
    offered = re.search(r"available(?: configs)?: (\[[^\]]*\])", text, re.IGNORECASE)
    if "scripts are no longer supported" in text:
        message = f"{path} is a script, which mitools does not run"
        hint = f'try its Parquet copy: "--revision {PARQUET_BRANCH}"'
    elif "onfig name is missing" in text and offered:
        message = f"{path} has several configurations"
        hint = f'choose one: "--name" {_listed(offered[1])}'
    elif "not found" in text and offered:
        message = f'{path} has no configuration "{options.name}"'
        hint = f'choose one: "--name" {_listed(offered[1])}'
    elif _is_unreachable(exc):
        message = f"cannot reach the Hub for {path}"
        offline = "unset HF_HUB_OFFLINE" if _is_offline() else "check the network"
        hint = f'{offline}, or read a copy of its files: "mitools load -c RECIPE FILE"'
    elif "gated" in text:
        message = f"{path} is gated"
        hint = "ask for access on its page and set HF_TOKEN"
    elif type(exc).__name__ == "RevisionNotFoundError" or text.startswith("Revision "):
        message = f'{path} has no revision "{options.revision}"'
        hint = f"look at https://huggingface.co/datasets/{path}/tree/main"
    elif type(exc).__name__ in ("DatasetNotFoundError", "RepositoryNotFoundError"):
        message = f"there is no data set {path} on the Hub, or it is private"
        hint = "check the name on https://huggingface.co/datasets, or set HF_TOKEN"
    else:
        message = f"cannot read {path} from the Hub: {text[:200] or type(exc).__name__}"
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
    """Tell whether an error, or its cause, is one of the network."""
    names = {"OfflineModeIsEnabled", "ConnectError", "ConnectTimeout", "ReadTimeout", "ReadError"}
    while exc is not None:
        if isinstance(exc, ConnectionError | TimeoutError) or type(exc).__name__ in names:
            return True
        exc = exc.__cause__ or exc.__context__
    return False

"""The data files in a folder, such as a cloned repository of a data set with its Parquet files."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from mitools.errors import SourceError
from mitools.sources.arrow_files import is_saved
from mitools.sources.formats import ENDINGS, known_format
from mitools.sources.options import LoadOptions
from mitools.sources.splits import USUAL_SPLITS

__all__ = ["files_in"]

_MOST_FILES = 10_000
_MOST_SHOWN = 6
_NOT_DATA = ("dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json")


def files_in(folder: str, options: LoadOptions) -> list[str]:
    """List the data files in a folder and its subfolders, in the order of their names.

    Hidden files, and files whose ending is not one of a known format, are left out.

    Args:
        options: ``format`` chooses among files of several formats.

    Raises:
        SourceError: there are none, too many, or those of several formats or data sets.
    """
    _refuse_saved(Path(folder))
    files: list[Path] = []
    kinds: Counter[str] = Counter()
    for path in _walk(Path(folder)):
        kind = known_format(str(path))
        if kind is None or path.name in _NOT_DATA:
            continue
        kinds[kind] += 1
        if kind == (options.format or kind):
            files.append(path)
        if len(files) > _MOST_FILES:
            message = f"{folder} holds more than {_MOST_FILES:,} data files"
            raise SourceError(message, hint="name those to read")
    if not files:
        kind = options.format or ", ".join(ENDINGS)
        raise SourceError(f"{folder} holds no data file ({kind})", hint="check the path")
    if options.format is None and len(kinds) > 1:
        shown = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
        hint = f'choose one: "--format {kinds.most_common(1)[0][0]}"'
        raise SourceError(f"{folder} holds files of several formats ({shown})", hint=hint)
    _refuse_several(Path(folder), files)
    return list(map(str, files))


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files that are not hidden; links to folders are not followed."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        elif path.is_file():
            yield path


def _refuse_saved(folder: Path) -> None:
    saved = sorted(str(inner) for inner in folder.iterdir() if is_saved(str(inner)))
    if saved:
        hint = f"name a data set in it: {shlex.quote(saved[0])}"
        raise SourceError(f"{folder} holds data sets that save_to_disk wrote", hint=hint)


def _refuse_several(folder: Path, files: Iterable[Path]) -> None:
    """Refuse folders with files of the same names: each is a configuration of its own."""
    places: dict[str, set[Path]] = {}
    for file in files:
        places.setdefault(file.name, set()).add(file.parent)
    alike = {place for found in places.values() if len(found) > 1 for place in found}
    others = sorted(str(place) for place in alike if place.name.lower() not in USUAL_SPLITS)
    if len(others) > 1:
        shown = [Path(place).relative_to(folder).as_posix() for place in others]
        more = ", …" if len(shown) > _MOST_SHOWN else ""
        message = f"{folder} holds several data sets ({', '.join(shown[:_MOST_SHOWN])}{more})"
        raise SourceError(message, hint=f"name one of them: {shlex.quote(others[0])}")

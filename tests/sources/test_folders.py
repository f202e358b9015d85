"""Folders of data files as one source."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitools.errors import SourceError
from mitools.sources.folders import files_in
from mitools.sources.load_records import load_records
from mitools.sources.options import LoadOptions

LINE = '{"input": "a", "label": "b"}\n'


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(LINE if name.endswith("l") else "input,label\na,b\n")


def names_in(folder: Path, **options: str) -> list[str]:
    found = files_in(str(folder), LoadOptions(**options))  # type: ignore[arg-type]
    return [Path(name).relative_to(folder).as_posix() for name in found]


def test_a_cloned_repository_is_its_data_files_with_their_splits(tmp_path: Path) -> None:
    write(tmp_path, "data/train-0-of-2.jsonl", "data/train-1-of-2.jsonl", "data/test-0-of-1.jsonl")
    write(tmp_path, "README.md", "dataset_infos.json", ".git/x.jsonl", "data/.hidden.jsonl")
    records = list(load_records(str(tmp_path)))
    assert [record["split"] for record in records] == ["test", "train", "train"]


def test_folders_may_be_the_splits(tmp_path: Path) -> None:
    write(tmp_path, "train/0000.jsonl", "validation/0000.jsonl", "validation/0001.jsonl")
    assert [record["split"] for record in load_records(str(tmp_path))] == ["train", *["valid"] * 2]


def test_files_of_one_format_are_chosen(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "b.jsonl", "c.jsonl")
    with pytest.raises(SourceError, match=r"several formats \(2 jsonl, 1 csv\)") as caught:
        names_in(tmp_path)
    assert caught.value.hint == 'choose one: "--format jsonl"'
    assert names_in(tmp_path, format="csv") == ["a.csv"]
    with pytest.raises(SourceError, match=r"holds no data file \(parquet\)"):
        names_in(tmp_path, format="parquet")


def test_configurations_in_folders_of_their_own_are_not_mixed(tmp_path: Path) -> None:
    write(tmp_path, "main/train.jsonl", "main/test.jsonl", "socratic/train.jsonl")
    with pytest.raises(SourceError, match=r"several data sets \(main, socratic\)") as caught:
        names_in(tmp_path)
    assert caught.value.hint == f"name one of them: {tmp_path / 'main'}"
    assert names_in(tmp_path / "main") == ["test.jsonl", "train.jsonl"]


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "README.md")
    with pytest.raises(SourceError, match="holds no data file"):
        names_in(tmp_path)


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path, "a.jsonl")
    (tmp_path / "again").symlink_to(tmp_path)
    assert names_in(tmp_path) == ["a.jsonl"]

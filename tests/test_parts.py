"""Files of a folder that belong together: wherever a run is killed, old never lies beside new."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mitools.errors import OutputError
from mitools.parts import atomic_parts, complete_parts

NAMES = ("train.jsonl", "valid.jsonl", "test.jsonl")


class KilledError(BaseException):
    """Stands for SIGKILL: nothing is tidied up behind it."""


def write(folder: Path, text: str, names: tuple[str, ...] = NAMES) -> None:
    with atomic_parts(folder, "split", names) as streams:
        for name, stream in streams.items():
            stream.write(f"{text} {name}\n")


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def expected(text: str) -> dict[str, str]:
    return {name: f"{text} {name}\n" for name in NAMES}


def test_all_appear_and_what_else_is_there_stays(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "er"
    write(folder, "old")
    (folder / "mine").write_text("mine")
    (folder / "test.jsonl").chmod(0o600)
    write(folder, "new")
    assert texts(folder) == {**expected("new"), "mine": "mine"}
    assert sorted(os.listdir(folder)) == sorted([*NAMES, "mine"])
    assert (folder / "test.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, OSError])
def test_a_failure_leaves_all_as_it_was(tmp_path: Path, failure: type[BaseException]) -> None:
    write(tmp_path, "old")

    def write_half() -> None:
        with atomic_parts(tmp_path, "split", NAMES) as streams:
            streams["train.jsonl"].write("half")
            raise failure

    with pytest.raises((failure, OutputError)):
        write_half()
    assert texts(tmp_path) == expected("old")
    assert sorted(os.listdir(tmp_path)) == sorted(NAMES)


def killed_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Let the file system stop answering after so many changes; gives how many there were."""
    count = 0

    def counted(change: Callable[..., object]) -> Callable[..., object]:
        def changed(*args: object, **kwargs: object) -> object:
            nonlocal count
            if count >= steps:
                raise KilledError
            count += 1
            return change(*args, **kwargs)

        return changed

    for name in ("rename", "replace", "unlink", "touch", "rmdir"):
        monkeypatch.setattr(Path, name, counted(getattr(Path, name)))
    monkeypatch.setattr("shutil.rmtree", lambda *_args, **_options: None)  # a dead one tidies not
    return lambda: count


def check_never_mixed(folder: Path) -> None:
    kinds = {text.split()[0] for name, text in texts(folder).items() if name in NAMES}
    assert kinds in ({"old"}, {"new"}, set())


def test_wherever_it_is_killed_the_next_run_completes_it(tmp_path: Path) -> None:
    steps = 0
    while True:
        folder = tmp_path / str(steps)
        write(folder, "old")
        with pytest.MonkeyPatch.context() as patch:
            count = killed_after(steps, patch)
            try:
                write(folder, "new")
                is_done = True
            except KilledError:
                is_done = False
        check_never_mixed(folder)
        if is_done:
            assert texts(folder) == expected("new")
            break
        is_begun = complete_parts(folder, "split")
        check_never_mixed(folder)
        assert texts(folder) == expected("new" if is_begun else "old")
        assert not complete_parts(folder, "split")
        write(folder, "third")
        assert texts(folder) == expected("third")
        steps += 1
    assert steps > 8  # renames of the parts, of the folder, deletions and places
    assert count() == steps


def test_completing_can_be_killed_as_well(tmp_path: Path) -> None:
    for first in range(5, 9):
        for second in range(6):
            folder = tmp_path / f"{first}-{second}"
            write(folder, "old")
            for steps in (first, second):
                with pytest.MonkeyPatch.context() as patch:
                    killed_after(steps, patch)
                    try:
                        if steps == first:
                            write(folder, "new")
                        complete_parts(folder, "split")
                    except KilledError:
                        pass
                check_never_mixed(folder)
            complete_parts(folder, "split")
            check_never_mixed(folder)
            assert set(texts(folder)) == set(NAMES)


def test_fewer_parts_leave_the_others(tmp_path: Path) -> None:
    write(tmp_path, "old")
    write(tmp_path, "new", ("train.jsonl",))
    assert texts(tmp_path) == {**expected("old"), "train.jsonl": "new train.jsonl\n"}


def test_a_folder_where_a_part_belongs_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "valid.jsonl").mkdir()
    with pytest.raises(OutputError, match=r"valid\.jsonl is a folder; move it away"):
        write(tmp_path, "new")
    assert os.listdir(tmp_path) == ["valid.jsonl"]

"""Uploading a student to the Hub."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from mitools.errors import StudentError, UsageError
from mitools.export.hub import HubOptions, plan_upload, upload_student
from mitools.student import save_student
from mitools.student.base.open_base import open_checkpoint
from mitools.student.codec import Codec


class Fake:
    """Keeps what it is given."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.calls: list[tuple[list[str], HubOptions]] = []

    def upload(self, folder: Path, names: Sequence[str], options: HubOptions) -> str:
        self.calls.append((list(names), options))
        if self.error:
            raise self.error
        return f"https://hub/{options.repository}"


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory, tiny_causal: Path) -> Path:
    place = tmp_path_factory.mktemp("hub") / "student"
    base = open_checkpoint(str(tiny_causal), "it")
    save_student(place, base.model, Codec(base.tokenizer, "causal", 64, 8, 8), {})
    (place / "README.md").write_text("---\nlicense: mit\n---\n")
    return place


def test_files_of_the_folder_are_uploaded_and_nothing_else(student: Path, tmp_path: Path) -> None:
    shutil.copytree(student, tmp_path / "s")
    (tmp_path / "secret").write_text("s")
    (tmp_path / "s" / "link.txt").symlink_to(tmp_path / "secret")
    (tmp_path / "s" / ".env").write_text("KEY=1")
    (tmp_path / "s" / "more").mkdir()
    hub, notes = Fake(), list[str]()
    url = upload_student(tmp_path / "s", HubOptions("me/mine"), notes.append, hub)
    assert url == "https://hub/me/mine"
    ((names, options),) = hub.calls
    assert {"README.md", "config.json", "mitools.json", "model.safetensors"} <= set(names)
    assert not {"link.txt", ".env", "more"} & set(names)
    assert options.is_public is False
    assert notes == [f"uploading {len(names)} files to me/mine"]


def test_a_plan_lists_sizes(student: Path) -> None:
    sizes = dict(plan_upload(student, HubOptions("mine")))
    assert sizes["config.json"] == (student / "config.json").stat().st_size


def test_what_is_not_a_whole_student_is_not_uploaded(student: Path, tmp_path: Path) -> None:
    with pytest.raises(StudentError, match="is not a student"):
        plan_upload(tmp_path, HubOptions("me/mine"))
    shutil.copytree(student, tmp_path / "s")
    (tmp_path / "s" / "README.md").unlink()
    with pytest.raises(StudentError, match=r"has no README\.md"):
        plan_upload(tmp_path / "s", HubOptions("me/mine"))
    with pytest.raises(UsageError, match="not the name of a repository"):
        plan_upload(student, HubOptions("a/b/c"))


def test_a_refusal_of_the_hub_is_one_line(student: Path) -> None:
    hub = Fake(ConnectionError("offline"))
    with pytest.raises(StudentError, match="cannot upload to me/mine: offline") as caught:
        upload_student(student, HubOptions("me/mine"), lambda _text: None, hub)
    assert "hf auth login" in str(caught.value.hint)

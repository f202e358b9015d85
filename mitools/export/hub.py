"""A student's folder on the Hugging Face Hub: private by default, and only when confirmed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mitools.errors import StudentError, UsageError
from mitools.student.boundary import library_errors
from mitools.student.metadata import read_metadata

__all__ = ["Hub", "HubOptions", "plan_upload", "upload_student"]

_NEEDED = ("README.md", "config.json")
_HINT = 'log in with "hf auth login", and check the name and the network'


@dataclass(frozen=True)
class HubOptions:
    """Where a student is uploaded to.

    Attributes:
        repository: ``ORG/NAME`` or ``NAME``.
        is_public: whether a new repository is public.
    """

    repository: str
    is_public: bool = False


class Hub(Protocol):
    """Uploads files."""

    def upload(self, folder: Path, names: Sequence[str], options: HubOptions) -> str:
        """Make the repository, upload the files, and return its URL."""


def plan_upload(folder: Path, options: HubOptions) -> list[tuple[str, int]]:
    """List the files that would be uploaded, with their sizes in bytes.

    Links, hidden files and folders are left out.

    Raises:
        StudentError: the folder is not a student, or has no model card.
        UsageError: the repository has no possible name.
    """
    if not options.repository or options.repository.count("/") > 1:
        message = f'"{options.repository}" is not the name of a repository'
        raise UsageError(message, hint="write ORG/NAME")
    read_metadata(folder)
    files = [
        (path.name, path.stat().st_size)
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".")
    ]
    for name in _NEEDED:
        if name not in dict(files):
            raise StudentError(f"{folder} has no {name}", hint="train it again")
    return files


def upload_student(
    folder: Path, options: HubOptions, note: Callable[[str], None], hub: Hub | None = None
) -> str:
    """Upload a student, and return the URL of its repository.

    Args:
        folder: of the student; its card keeps license and base model.
        options: name and visibility.
        note: receives messages, one sentence each.
        hub: uploads the files; by default the Hugging Face Hub.

    Raises:
        StudentError: the folder is not a student, or the Hub refuses it.
        UsageError: the repository has no possible name.
    """
    names = [name for name, _ in plan_upload(folder, options)]
    note(f"uploading {len(names)} files to {options.repository}")
    with library_errors(f"cannot upload to {options.repository}", _HINT):
        return (hub or _HuggingFace()).upload(folder, names, options)


class _HuggingFace:
    def upload(self, folder: Path, names: Sequence[str], options: HubOptions) -> str:
        from huggingface_hub import HfApi

        hub = HfApi()
        url = hub.create_repo(options.repository, private=not options.is_public, exist_ok=True)
        hub.upload_folder(
            repo_id=url.repo_id,
            folder_path=folder,
            allow_patterns=list(names),
            commit_message="Upload a student of mitools",
        )
        return str(url)

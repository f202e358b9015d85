"""A Hugging Face Hub on loopback that serves folders: what ``datasets`` asks of the real one."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import re
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def serve(root: Path) -> Iterator[str]:
    """Serve ``root/ORG/NAME/REVISION/…`` and yield the address.

    A slash in a revision is written as ``__``.
    """

    class Handler(_Handler):
        folder = root

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    folder: Path
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urllib.parse.urlsplit(self.path).path
        if match := re.fullmatch(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._file(*match.groups())
        elif match := re.fullmatch(
            r"/api/datasets/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/([^/]+)(?:/(.*))?)?", path
        ):
            self._api(*match.groups())
        else:
            self._refuse("EntryNotFound")

    def _revision(self, repository: str, revision: str) -> Path | None:
        """Find a revision's folder; a commit is known by its hash."""
        home = self.folder / repository
        if not home.is_dir():
            self._refuse("RepoNotFound", 401)  # as the Hub answers a stranger
            return None
        wanted = urllib.parse.unquote(revision).replace("/", "__")
        for folder in home.iterdir():
            if wanted in (folder.name, _commit(folder)):
                return folder
        self._refuse("RevisionNotFound")
        return None

    def _file(self, repository: str, revision: str, name: str) -> None:
        folder = self._revision(repository, revision)
        if folder is None:
            return
        path = folder / urllib.parse.unquote(name)
        if not path.is_file():
            self._refuse("EntryNotFound", folder=folder)
            return
        content = path.read_bytes()
        status, extra = 200, {}
        if span := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(span[1]), int(span[2] or len(content) - 1)
            extra = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
            status, content = 206, content[first : last + 1]
        self._send(status, content, folder, {"ETag": f'"{_digest(path)}"', **extra})

    def _api(self, repository: str, verb: str | None, revision: str | None, name: str) -> None:
        folder = self._revision(repository, revision or "main")
        if folder is None:
            return
        if verb in (None, "revision"):
            found = [{"rfilename": _name(path, folder)} for path in _files(folder)]
            value: Any = {"id": repository, "sha": _commit(folder), "siblings": found}
        elif verb == "tree":
            top = folder / urllib.parse.unquote(name or "")
            if not top.is_dir():
                self._refuse("EntryNotFound", folder=folder)
                return
            deep = "recursive=True" in self.path or "recursive=true" in self.path
            paths = sorted(top.rglob("*") if deep else top.iterdir())
            value = [_entry(path, folder) for path in paths]
        else:
            asked = urllib.parse.parse_qs(self.body.decode()).get("paths")
            asked = asked or json.loads(self.body)["paths"]
            value = [_entry(folder / name, folder) for name in asked if (folder / name).exists()]
        self._send(200, json.dumps(value).encode(), folder, {"Content-Type": "application/json"})

    def _refuse(self, code: str, status: int = 404, folder: Path | None = None) -> None:
        self._send(status, b"", folder, {"X-Error-Code": code})

    def _send(
        self, status: int, content: bytes, folder: Path | None, headers: dict[str, str]
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Accept-Ranges", "bytes")
        if folder is not None:
            self.send_header("X-Repo-Commit", _commit(folder))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _digest(path: Path) -> str:
    return hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()


def _commit(folder: Path) -> str:
    return hashlib.sha1(str(folder).encode(), usedforsecurity=False).hexdigest()


def _entry(path: Path, folder: Path) -> dict[str, Any]:
    if path.is_dir():
        return {"type": "directory", "path": _name(path, folder), "oid": "0" * 40, "size": 0}
    size = path.stat().st_size
    return {"type": "file", "path": _name(path, folder), "oid": _digest(path), "size": size}

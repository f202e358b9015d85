"""What a base model says about itself: its repository on the Hugging Face Hub, and its license.

Read from the model card beside a checkpoint, from its ``config.json``, or from the header of a GGUF
file. Nothing is guessed: what is not stated, or not written as the Hub writes it, is left out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from transformers.utils import cached_file

from mitools.student.base.gguf_file import check_gguf
from mitools.student.base.inventory import read_json
from mitools.student.base.open_base import locate_base

__all__ = ["read_origin"]

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(?:/[\w.-]{1,96})?", re.ASCII)
_SNAPSHOT = re.compile(r"models--([^/]+)/snapshots/[^/]+/?\Z")
_HUB_URL = re.compile(r"https://huggingface\.co/([^/\s]+/[^/\s]+?)/?")
_LICENSES = {
    "license": re.compile(r"[A-Za-z][\w.+-]{0,60}", re.ASCII),
    "license_name": re.compile(r"[A-Za-z][\w .+-]{0,80}", re.ASCII),
    "license_link": re.compile(r"https://[^\s\"'<>]{1,200}", re.ASCII),
}
_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)\n---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_LARGEST_CARD = 1 << 20  # bytes that are read


@lru_cache(maxsize=4)  # asked for again when training ends; the base may be gone then
def read_origin(spec: str) -> Mapping[str, str]:
    """Read repository and license of the base model that ``--student`` names.

    Returns:
        ``base_model``, ``license``, ``license_name`` and ``license_link``, as the model cards of
        the Hub have them; only those that the base model states.
    """
    spec = spec.removeprefix("encoder:")
    if spec.partition(":")[0] == "scratch":
        return {}
    folder, gguf = locate_base(spec)
    if gguf:
        stated = _of_gguf(check_gguf(Path(folder) / gguf, spec).texts)
    elif os.path.isdir(folder):
        stated = _of_folder(Path(folder))
    else:
        stated = {**_of_card(_hub_card(folder)), "base_model": folder}
    return _checked(stated)


def _checked(stated: Mapping[str, str | None]) -> dict[str, str]:
    forms = {"base_model": _HUB_NAME, **_LICENSES}
    return {
        name: value
        for name, form in forms.items()
        if form.fullmatch(value := stated.get(name) or "")
    }


def _of_folder(folder: Path) -> dict[str, str | None]:
    """Read the card of a checkpoint; its repository is the folder's in the Hub's cache."""
    stated = _of_card(_card_text(folder / "README.md"))
    snapshot = _SNAPSHOT.search(str(folder.resolve()))
    if snapshot:
        stated["base_model"] = snapshot[1].replace("--", "/", 1)
    elif not stated["base_model"] and (folder / "config.json").is_file():
        stated["base_model"] = _repository(read_json(folder / "config.json").get("_name_or_path"))
    return stated


def _repository(name: Any) -> str | None:
    """Return a name in ``config.json`` if it is ORG/NAME, and not a path on this machine."""
    is_one = isinstance(name, str) and _REPOSITORY.fullmatch(name) and not os.path.exists(name)
    return name if is_one else None


def _card_text(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        return stream.read(_LARGEST_CARD).decode("utf-8", "replace")


def _hub_card(repository: str) -> str:
    """Get the card of a repository from the Hub or its cache; empty where there is none."""
    try:
        found = cached_file(repository, "README.md")
    except (OSError, ValueError):  # offline, or no card: a student needs neither
        return ""
    return _card_text(Path(found)) if found else ""


def _of_card(text: str) -> dict[str, str | None]:
    """Read the metadata of a model card: the YAML between the first lines of dashes."""
    front = _FRONT.match(text.replace("\r\n", "\n"))
    lines = front[1] if front else ""
    return {name: _value(lines, name) for name in ("base_model", *_LICENSES)}


def _value(lines: str, key: str) -> str | None:
    """Return the scalar of a key, or the only item of its list; None for several."""
    found = re.search(rf"^{key}:[ \t]*(.*)((?:\n[ \t]*-[ \t]+.*)*)", lines, re.MULTILINE)
    if not found:
        return None
    inline = found[1].partition(" #")[0].strip()
    items = inline.strip("[]").split(",") if inline else re.findall(r"-[ \t]+(.*)", found[2])
    return items[0].strip().strip("\"'") if len(items) == 1 else None


def _of_gguf(stated: Mapping[str, str]) -> dict[str, str | None]:
    """Read the general fields of a GGUF file.

    Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
    """
    places = ("repo_url", "source.repo_url", "source.url", "url", "base_model.0.repo_url")
    urls = (_HUB_URL.fullmatch(stated.get(f"general.{place}", "")) for place in places)
    return {
        "base_model": next((url[1] for url in urls if url), None),
        "license": stated.get("general.license"),
        "license_name": stated.get("general.license.name"),
        "license_link": stated.get("general.license.link"),
    }

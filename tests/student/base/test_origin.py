"""Repository and license of a base model: what it states is read, and nothing is guessed."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mitools.student.base import origin
from mitools.student.base.origin import read_origin


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield
    read_origin.cache_clear()


def checkpoint(folder: Path, card: str = "", **config: Any) -> str:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    if card:
        (folder / "README.md").write_text(card)
    return str(folder)


@pytest.mark.parametrize(
    ("lines", "stated"),
    [
        ("license: mit\nbase_model: org/base", {"base_model": "org/base", "license": "mit"}),
        ("license: 'cc-by-4.0' # a comment", {"license": "cc-by-4.0"}),
        ("license:\n- apache-2.0\ntags:\n- x", {"license": "apache-2.0"}),
        ("base_model: [org/base]", {"base_model": "org/base"}),
        ("base_model:\n  - a/b\n  - c/d", {}),
        (
            "license: other\nlicense_name: our licence\nlicense_link: https://example.org/l",
            {
                "license": "other",
                "license_name": "our licence",
                "license_link": "https://example.org/l",
            },
        ),
        ("license: other\nlicense_link: LICENSE", {"license": "other"}),
        ("license: |\n  a long text", {}),
        ("model:\n  license: mit", {}),
        ("base_model: /home/me/base", {}),
    ],
)
def test_a_card_states_license_and_base(
    tmp_path: Path, lines: str, stated: Mapping[str, str]
) -> None:
    assert read_origin(checkpoint(tmp_path / "it", f"---\n{lines}\n---\n# It\n")) == stated


def test_a_card_without_metadata_states_nothing(tmp_path: Path) -> None:
    assert read_origin(checkpoint(tmp_path / "it", "# It\n\nlicense: mit\n")) == {}
    assert read_origin(checkpoint(tmp_path / "bare")) == {}


def test_a_configuration_may_name_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = checkpoint(tmp_path / "named", _name_or_path="org/base")
    assert read_origin(named) == {"base_model": "org/base"}
    for number, path in enumerate(("/models/base", "./base", "base", "a/b/c", None)):
        assert read_origin(checkpoint(tmp_path / str(number), _name_or_path=path)) == {}
    monkeypatch.chdir(tmp_path)
    checkpoint(tmp_path / "runs" / "first")
    assert read_origin(checkpoint(tmp_path / "next", _name_or_path="runs/first")) == {}


def test_a_snapshot_of_the_cache_is_its_repository(tmp_path: Path) -> None:
    card = "---\nlicense: mit\nbase_model: org/parent\n---\n"
    place = tmp_path / "models--org--my--model" / "snapshots" / "0123"
    found = read_origin(checkpoint(place, card))
    assert found == {"base_model": "org/my--model", "license": "mit"}


def test_a_name_on_the_hub_is_the_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = tmp_path / "README.md"
    card.write_text("---\nlicense: mit\nbase_model: org/parent\n---\n")
    monkeypatch.setattr(origin, "cached_file", lambda name, _file: str(card))
    assert read_origin("org/base") == {"base_model": "org/base", "license": "mit"}
    assert read_origin("encoder:roberta-base")["base_model"] == "roberta-base"

    def offline(_name: str, _file: str) -> str:
        raise OSError("offline")

    monkeypatch.setattr(origin, "cached_file", offline)
    assert read_origin("org/other") == {"base_model": "org/other"}


def test_a_new_model_has_no_origin() -> None:
    assert read_origin("scratch") == read_origin("scratch:tiny") == {}


def gguf(path: Path, **fields: str) -> str:
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    pairs = b"".join(
        text(f"general.{key}") + struct.pack("<I", 8) + text(value) for key, value in fields.items()
    )
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(fields)) + pairs)
    return str(path)


def test_a_gguf_file_states_license_and_repository(tmp_path: Path) -> None:
    urls = {
        "base_model.0.repo_url": "https://huggingface.co/org/parent",
        "repo_url": "https://huggingface.co/org/base",
    }
    found = read_origin(gguf(tmp_path / "a.gguf", license="mit", **urls))
    assert found == {"base_model": "org/base", "license": "mit"}
    elsewhere = {"source.url": "https://example.org/org/base", "organization": "org"}
    assert read_origin(gguf(tmp_path / "b.gguf", **elsewhere)) == {}

"""Files of a student that are cut, swapped or changed: one line that names them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mitools.errors import MitoolsError
from mitools.student import load_student
from tests.student.damage import failure

NAMES = ("model.safetensors", "config.json", "tokenizer.json", "mitools.json")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.9, 0.9999])
def test_a_file_that_is_cut_is_named(folder: Path, name: str, share: float) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: int(share * (len(data) - 2))])
    assert name.partition(".")[0] in failure(folder)


@pytest.mark.parametrize("name", [*NAMES, "tokenizer_config.json", "generation_config.json"])
@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\xff\xfe", b"[]", b"7", b'"x"', b"[" * 200_000, b'{"a": ' * 5000, b"\x80" * 64],
    ids=["empty", "bytes", "list", "number", "text", "deep-list", "deep", "binary"],
)
def test_a_file_of_something_else_is_one_line(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    failure(folder)


def test_random_damage_never_looks_like_a_defect_of_ours(folder: Path, saved_student: Path) -> None:
    chance = random.Random(0)
    for _ in range(150):
        name = chance.choice((*NAMES, "tokenizer_config.json"))
        data = bytearray((saved_student / name).read_bytes())
        for _ in range(chance.randrange(1, 5)):
            data[chance.randrange(min(len(data), 4000))] = chance.randrange(256)
        (folder / name).write_bytes(data)
        try:
            student = load_student(folder, "cpu")
        except MitoolsError as exc:
            assert len(str(exc).splitlines()) == 1, exc  # noqa: PT017
        else:
            student.generate_labels(["Ann has 3 pears."])
        (folder / name).write_bytes((saved_student / name).read_bytes())

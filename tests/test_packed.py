"""Zstandard files: unpacked block by block, whatever wrote them, and never silently short."""

from __future__ import annotations

import contextlib
import io
import random
import time

import pytest
import zstandard

from mitools.packed import ZstdReader

TEXT = b"".join(b"%d: some text and %d\n" % (n, n * n) for n in range(10_000))
NOISE = random.Random(0).randbytes(400_000)
CONTENTS = {
    "nothing": b"",
    "a byte": b"x",
    "a block": b"a" * 2**17,
    "a block and a byte": b"a" * (2**17 + 1),
    "a run": b"\n" * 3_000_000,
    "text": TEXT,
    "noise": NOISE,
    "both": TEXT + NOISE + TEXT,
}


def unpack(packed: bytes) -> bytes:
    return io.BufferedReader(ZstdReader(io.BytesIO(packed))).read()


def pack(content: bytes, level: int = 3, **options: bool) -> bytes:
    return zstandard.ZstdCompressor(level=level, **options).compress(content)


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("level", [1, 3, 19])
def test_everything_comes_back(name: str, level: int) -> None:
    content = CONTENTS[name]
    for options in ({}, {"write_checksum": True}, {"write_content_size": False}):
        assert unpack(pack(content, level, **options)) == content
    writer = zstandard.ZstdCompressor(level=level).compressobj()
    streamed = writer.compress(content) + writer.flush()
    assert unpack(streamed + pack(b"") + streamed) == content * 2


def test_what_is_to_be_skipped_is_skipped() -> None:
    skipped = b"".join(
        bytes([0x50 + n])
        + b"\x2a\x4d\x18"
        + (n * 100_000).to_bytes(4, "little")
        + b"z" * n * 100_000
        for n in range(16)
    )
    assert unpack(skipped + pack(b"a") + skipped + pack(b"b") + skipped) == b"ab"


def test_a_file_cut_anywhere_is_noticed() -> None:
    packed = pack(b"start\n") + pack(TEXT[:5000], write_checksum=True)
    first = len(pack(b"start\n"))
    for kept in range(1, len(packed)):
        if kept == first:
            continue  # there it ends well
        with pytest.raises((EOFError, OSError)):
            unpack(packed[:kept])


def test_damage_anywhere_is_noticed() -> None:
    packed = pack(TEXT[:5000], write_checksum=True)
    rng = random.Random(0)
    for place in range(len(packed)):
        damaged = bytearray(packed)
        damaged[place] ^= 1 << rng.randrange(8)
        with contextlib.suppress(EOFError, OSError):
            assert unpack(bytes(damaged)) == TEXT[:5000]  # a flag that changes nothing


@pytest.mark.parametrize("packed", [b"{}", b"\x28\xb5", b"\x1f\x8b\x08\x00", b"\x00" * 99])
def test_what_is_not_zstandard_is_said(packed: bytes) -> None:
    with pytest.raises((EOFError, OSError), match=r"damaged|middle"):
        unpack(packed)


def test_no_more_is_unpacked_than_is_asked_for() -> None:
    class Counting(io.BytesIO):
        taken = 0

        def read(self, size: int | None = -1) -> bytes:
            found = super().read(size)
            self.taken += len(found)
            return found

    source = Counting(pack(b"a" * 100_000_000))
    reader = ZstdReader(source)
    assert reader.read(10) == b"a" * 10
    assert source.taken < 40  # a header and a block


def test_a_long_run_takes_time_by_its_length() -> None:
    def seconds(megabytes: int) -> float:
        packed = pack(b"a" * megabytes * 10**6)
        start = time.process_time()
        reader = io.BufferedReader(ZstdReader(io.BytesIO(packed)))
        while reader.read(8192):  # in small pieces, as lines are read
            pass
        return time.process_time() - start

    small, large = (min(seconds(size) for _ in range(3)) for size in (10, 80))
    assert large < 25 * small + 0.1


def test_many_small_frames_take_time_by_their_number() -> None:
    frames = pack(b"a\n") * 100_000
    start = time.process_time()
    assert unpack(frames) == b"a\n" * 100_000
    assert time.process_time() - start < 10

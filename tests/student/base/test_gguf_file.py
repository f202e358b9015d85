"""GGUF files with impossible counts, and files that are cut."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mitools.errors import StudentError
from mitools.student.base.gguf_file import check_gguf
from mitools.student.base.open_base import open_base


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def gguf(
    pairs: list[tuple[bytes, int, bytes]],
    tensors: list[bytes],
    counts: tuple[int, int] | None = None,
) -> bytes:
    found, more = counts or (len(tensors), len(pairs))
    head = b"GGUF" + struct.pack("<IQQ", 3, found, more)
    for key, kind, value in pairs:
        head += text(key) + struct.pack("<I", kind) + value
    return head + b"".join(tensors)


def tensor(size: int, offset: int = 0) -> bytes:
    return text(b"w") + struct.pack("<IQIQ", 1, size, 0, offset)


def array(kind: int, count: int, content: bytes = b"") -> bytes:
    return struct.pack("<IQ", kind, count) + content


HUGE = 1 << 60


def hostile() -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "magic", b"GGML" + bytes(40)
    yield "version", b"GGUF" + struct.pack("<IQQ", 9, 0, 0)
    yield "cut", b"GGUF\x03"
    yield "pairs", gguf([], [], (0, HUGE))
    yield "tensors", gguf([], [], (HUGE, 0))
    yield "array", gguf([(b"a", 9, array(4, HUGE))], [])
    yield "texts", gguf([(b"a", 9, array(8, HUGE))], [])
    yield "arrays", gguf([(b"a", 9, array(9, HUGE))], [])
    yield "nested", gguf([(b"a", 9, array(9, 1, array(9, 1, array(9, 1))))], [])
    yield "kind", gguf([(b"a", 77, b"")], [])
    yield "key", gguf([(b"\xff\xfe", 4, b"1234")], [])
    yield "alignment", gguf([(b"general.alignment", 4, struct.pack("<I", 0))], [tensor(1)])
    yield "size", gguf([], [tensor(HUGE)])
    yield "offset", gguf([], [tensor(1, HUGE)]) + bytes(64)


@pytest.mark.parametrize("case", list(hostile()), ids=lambda case: case[0])
def test_a_gguf_file_with_impossible_claims_is_refused_at_once(
    tmp_path: Path, case: tuple[str, bytes]
) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(case[1])
    started = time.monotonic()
    with pytest.raises(StudentError, match=r"x\.gguf: "):
        check_gguf(path, "x.gguf")
    assert time.monotonic() - started < 2


def make_gguf(path: Path, layers: int = 1) -> None:
    """Write a small Llama that transformers can read."""
    writer_module = pytest.importorskip("gguf", reason='needs "pip install mitools[gguf]"')
    import numpy as np

    writer = writer_module.GGUFWriter(str(path), "llama")
    writer.add_block_count(layers)
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(64)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("llama")
    tokens = [b"<unk>", b"<s>", b"</s>", *(f"<0x{n:02X}>".encode() for n in range(256))]
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types([2, 3, 3, *[6] * 256])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    chance = np.random.default_rng(0)
    shapes = {
        "token_embd.weight": (259, 32),
        "output_norm.weight": (32,),
        "output.weight": (259, 32),
        "blk.0.attn_norm.weight": (32,),
        "blk.0.ffn_norm.weight": (32,),
        "blk.0.attn_q.weight": (32, 32),
        "blk.0.attn_k.weight": (16, 32),
        "blk.0.attn_v.weight": (16, 32),
        "blk.0.attn_output.weight": (32, 32),
        "blk.0.ffn_gate.weight": (64, 32),
        "blk.0.ffn_up.weight": (64, 32),
        "blk.0.ffn_down.weight": (32, 64),
    }
    for name, shape in shapes.items():
        writer.add_tensor(name, chance.normal(size=shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_gguf_file_opens_whole_and_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "toy.gguf"
    make_gguf(path)
    assert open_base(str(path), lambda: iter(())).model.config.num_hidden_layers == 1
    data = path.read_bytes()
    for share in (0.01, 0.1, 0.3, 0.6, 0.95):
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(StudentError, match=r"toy\.gguf"):
            open_base(str(path), lambda: iter(()))
    make_gguf(path, layers=10**6)
    with pytest.raises(StudentError, match="num_layers = 1,000,000"):
        open_base(str(path), lambda: iter(()))

"""Files that are cut, swapped or lie about themselves: one line that names them, and no guess."""

from __future__ import annotations

import json
import random
import shutil
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mitools.errors import MitoolsError, StudentError, UsageError
from mitools.student import load_student
from mitools.student.base.gguf_file import check_gguf
from mitools.student.base.open_base import open_base
from mitools.student.codec import Codec
from mitools.student.devices import choose_device
from mitools.student.folder import save_student


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_causal: Path) -> Path:
    """A saved student."""
    folder = tmp_path_factory.mktemp("whole")
    base = open_base(str(tiny_causal), lambda: iter(()))
    save_student(folder, base.model, Codec(base.tokenizer, base.kind, 64, 16, 24), {})
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    place = tmp_path / "student"
    shutil.copytree(whole, place)
    return place


def change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def failure(folder: Path) -> str:
    with pytest.raises(StudentError) as caught:
        load_student(folder, "cpu")
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.hint
    return text


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


def test_random_damage_never_looks_like_a_defect_of_ours(folder: Path, whole: Path) -> None:
    chance = random.Random(0)
    for _ in range(150):
        name = chance.choice((*NAMES, "tokenizer_config.json"))
        data = bytearray((whole / name).read_bytes())
        for _ in range(chance.randrange(1, 5)):
            data[chance.randrange(min(len(data), 4000))] = chance.randrange(256)
        (folder / name).write_bytes(data)
        try:
            student = load_student(folder, "cpu")
        except MitoolsError as exc:
            assert len(str(exc).splitlines()) == 1, exc  # noqa: PT017
        else:
            student.generate_labels(["Ann has 3 pears."])
        (folder / name).write_bytes((whole / name).read_bytes())


SIZES = [
    ("num_hidden_layers", 10**6),
    ("num_hidden_layers", 10**15),
    ("num_hidden_layers", -1),
    ("num_hidden_layers", 3),
    ("num_hidden_layers", 1),
    ("vocab_size", 10**12),
    ("vocab_size", 10),
    ("hidden_size", 10**7),
    ("hidden_size", 64),
    ("intermediate_size", 10**9),
    ("intermediate_size", 63),
    ("num_attention_heads", 0),
    ("num_attention_heads", "two"),
    ("num_key_value_heads", 10**9),
    ("head_dim", 10**9),
    ("hidden_act", "no_such_function"),
    ("model_type", "no_such_type"),
    ("model_type", 5),
    ("rope_parameters", {"rope_type": "no_such_rope"}),
]


@pytest.mark.parametrize(("key", "value"), SIZES, ids=[f"{k}={v}"[:40] for k, v in SIZES])
def test_a_configuration_that_does_not_fit_the_weights_is_refused_at_once(
    folder: Path, key: str, value: Any
) -> None:
    change(folder / "config.json", **{key: value})
    started = time.monotonic()
    failure(folder)
    assert time.monotonic() - started < 20


def test_weights_that_are_missing_are_not_made_up(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    name = "model.layers.1.mlp.up_proj.weight"
    kept = {key: value for key, value in weights.items() if key != name}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    assert f"has no weights for {name}" in failure(folder)
    kept[name] = weights[name][:, :-1].contiguous()
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    assert f"{name} has shapes [64, 31] and [64, 32]" in failure(folder)
    kept[name] = weights[name].to(torch.int8)
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    assert f"quantized, such as {name} (I8)" in failure(folder)
    save_file({**weights, "extra.weight": weights[name].clone()}, folder / "model.safetensors")
    assert "the model of config.json does not have extra.weight" in failure(folder)


def test_a_tokenizer_of_another_model_is_refused(folder: Path) -> None:
    found = json.loads((folder / "tokenizer.json").read_text())
    entry = {**found["added_tokens"][0], "id": 99_999, "content": "<far>"}
    found["added_tokens"].append(entry)
    found["model"]["vocab"]["<far>"] = 99_999
    (folder / "tokenizer.json").write_text(json.dumps(found))
    assert "its tokenizer has ids up to 99,999, its model" in failure(folder)


def test_a_folder_without_tokenizer_files_is_refused(folder: Path) -> None:
    for path in (*folder.glob("tokenizer*"), *folder.glob("special_tokens*")):
        path.unlink()
    assert "has no tokenizer files" in failure(folder)
    with pytest.raises(StudentError, match="has no tokenizer files"):
        open_base(str(folder), lambda: iter(()))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_input_tokens", "many"),
        ("max_label_tokens", -1),
        ("max_rationale_tokens", 10**9),
        ("max_input_tokens", None),
        ("max_input_tokens", 1.5),
        ("max_input_tokens", True),
        ("kind", "seq2seq"),
        ("kind", ["causal"]),
        ("order", "sideways"),
        ("order", ["separate"]),
        ("format", 10**400),
        ("prefixes", None),
    ],
)
def test_what_a_student_says_about_itself_is_checked(folder: Path, key: str, value: Any) -> None:
    text = json.loads((folder / "mitools.json").read_text())
    (folder / "mitools.json").write_text(json.dumps({**text, key: value}))
    failure(folder)


@pytest.mark.parametrize("device", ["nonsense", "cuda", "cuda:0", "cpu:3", "", "xla", "meta"])
def test_a_device_that_is_not_there_is_wrong_usage(folder: Path, device: str) -> None:
    if torch.cuda.is_available() and device.startswith("cuda"):
        pytest.skip("this machine has one")
    with pytest.raises(UsageError, match="--device"):
        load_student(folder, device)
    assert choose_device("cpu").type == "cpu"


# GGUF


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

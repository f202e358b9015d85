"""A model's folder is data: nothing in it is run, and nobody is asked whether it should be."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mitools.errors import StudentError
from mitools.student import load_student
from mitools.student.base.open_base import open_base
from mitools.student.codec import Codec
from mitools.student.folder import save_student
from mitools.student.sentence_encoder import SentenceEncoder

CODE = 'open(__file__ + ".was-run", "w").close()\nraise SystemExit("the code of the model ran")\n'
CLASSES = ("AutoConfig", "AutoTokenizer", "AutoModelForSeq2SeqLM", "AutoModelForCausalLM")


@pytest.fixture
def folder(tmp_path: Path, tiny_seq2seq: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a small model with Python files, and a stdin on which somebody says yes."""
    place = tmp_path / "model"
    shutil.copytree(tiny_seq2seq, place)
    for name in ("code.py", "custom_generate/generate.py", "modeling.py"):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(CODE)
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 20))
    return place


def change(path: Path, **changes: Any) -> None:
    found = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**found, **changes}))


def open_it(spec: str) -> Any:
    return open_base(spec, lambda: iter(()))


def assert_untouched(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not list(folder.rglob("*.was-run"))
    assert sys.stdin.tell() == 0  # nobody has read the answer
    assert capsys.readouterr().out == ""


MAP = {name: f"code.{name}" for name in CLASSES}


@pytest.mark.parametrize("spec", ["{}", "encoder:{}"])
def test_a_model_of_an_unknown_kind_is_refused_in_one_line(
    folder: Path, spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(folder / "config.json", auto_map=MAP, model_type="mine", architectures=None)
    with pytest.raises(StudentError, match="which mitools never runs; choose a model") as caught:
        open_it(spec.format(folder))
    assert "\n" not in str(caught.value)
    assert_untouched(folder, capsys)


@pytest.mark.parametrize(
    "file", ["config.json", "tokenizer_config.json", "generation_config.json", "processor.json"]
)
def test_code_beside_a_known_model_is_left_alone(
    folder: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(
        folder / file, auto_map={**MAP, "AutoTokenizer": ["code.A", "code.B"]}, custom_generate="."
    )
    base = open_it(str(folder))
    assert_untouched(folder, capsys)
    codec = Codec(base.tokenizer, base.kind, 32, 16, 16)
    saved = folder.parent / "saved"
    saved.mkdir()
    save_student(saved, base.model, codec, {})
    assert not [path for path in saved.rglob("*.json") if "auto_map" in path.read_text()]
    assert not list(saved.rglob("*.py"))
    load_student(saved).generate_labels(["Ann has 3 pears."])
    assert_untouched(folder, capsys)


def test_a_tokenizer_of_an_unknown_kind_runs_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(
        folder / "tokenizer_config.json",
        auto_map={"AutoTokenizer": ["code.Mine", None]},
        tokenizer_class="Mine",
    )
    with contextlib.suppress(StudentError):  # or it reads its files as what they are
        open_it(str(folder))
    assert_untouched(folder, capsys)


def test_an_encoder_of_an_unknown_kind_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(folder / "config.json", auto_map={**MAP, "AutoModel": "code.Mine"}, model_type="x")
    with pytest.raises(Exception, match="never runs"):
        SentenceEncoder(str(folder), "cpu")
    assert_untouched(folder, capsys)


@pytest.mark.parametrize(
    "kernel", ["someone/attention", "kernels-community/flash-attn", {"": "x/y"}, 7]
)
@pytest.mark.parametrize("key", ["_attn_implementation", "attn_implementation"])
def test_attention_code_from_elsewhere_is_refused(folder: Path, key: str, kernel: Any) -> None:
    change(folder / "config.json", **{key: kernel})
    with pytest.raises(StudentError, match="requires the attention kernel"):
        open_it(str(folder))


def test_adapters_are_not_followed_to_another_model(folder: Path) -> None:
    change(
        folder / "adapter_config.json", base_model_name_or_path="/etc", auto_mapping={"x": "code"}
    )
    with pytest.raises(StudentError, match="contains adapters, not a complete model"):
        open_it(str(folder))


class _Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (Path.touch, (self.mark,))


def test_a_pickle_among_the_weights_is_not_unpickled(folder: Path) -> None:
    mark = folder / "unpickled"
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    open_it(str(folder))
    torch.save({**weights, "more": _Hostile(mark)}, folder / "pytorch_model.bin")
    with pytest.raises(StudentError, match="cannot open the student"):
        open_it(str(folder))
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(_Hostile(mark)))
    with pytest.raises(StudentError, match=r"pytorch_model\.bin is damaged, or has an old format"):
        open_it(str(folder))
    assert not mark.exists()


def test_an_index_names_no_file_outside_of_the_folder(folder: Path, tiny_causal: Path) -> None:
    (folder / "model.safetensors").rename(folder.parent / "outside.safetensors")
    index = {"weight_map": {"shared.weight": "../outside.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(StudentError, match="which does not exist"):
        open_it(str(folder))

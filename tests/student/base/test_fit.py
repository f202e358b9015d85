"""Weights, vocabulary and tokenizer files that do not fit together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel

from mitools.errors import StudentError
from mitools.student.base.open_base import open_base
from tests.student.damage import failure


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


@pytest.fixture
def encoder(folder: Path) -> Path:
    """A BERT of two layers with random weights."""
    rows = len(open_base(str(folder), lambda: iter(())).tokenizer)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(vocab_size=rows, intermediate_size=16, pad_token_id=0, **sizes)
    BertModel(config).save_pretrained(folder)
    return folder


def test_layers_of_an_encoder_that_are_missing_are_not_made_up(encoder: Path) -> None:
    path, name = encoder / "model.safetensors", f"encoder:{encoder}"
    weights = load_file(path)
    layer = "encoder.layer.1.output.dense.weight"

    def refused(kept: dict[str, torch.Tensor]) -> str:
        save_file(kept, path, {"format": "pt"})
        with pytest.raises(StudentError) as caught:
            open_base(name, lambda: iter(()))
        assert caught.value.hint == "download it again, or choose another checkpoint"
        return caught.value.message

    kept = {key: value for key, value in weights.items() if key != layer}
    assert f"cannot open the student {name}: it has no weights for {layer}" in refused(kept)
    wrong = {**weights, layer: weights[layer][:, :-1].contiguous()}
    assert f"{layer} has shapes [16, 15] and [16, 16]" in refused(wrong)
    kept = {key: value for key, value in weights.items() if "pooler." not in key}
    save_file(kept, path, {"format": "pt"})  # texts are written without it
    model = open_base(name, lambda: iter(())).model
    for side in (model.encoder, model.decoder.bert):
        assert torch.equal(side.state_dict()[layer], weights[layer])


def test_an_encoder_that_is_far_larger_than_its_files_is_refused(encoder: Path) -> None:
    path = encoder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "intermediate_size": 10**7}))
    with pytest.raises(StudentError, match=r"describes a model of \d.* numbers"):
        open_base(f"encoder:{encoder}", lambda: iter(()))


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

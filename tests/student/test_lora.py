"""Low-rank adapters: nothing at first, merged when saved, and gone for whoever opens it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from mitools.errors import MissingExtraError
from mitools.student import load_student, save_student
from mitools.student.base.open_base import open_checkpoint
from mitools.student.codec import Codec
from mitools.student.forward import has_plain_head, target_logits
from mitools.student.lora import adapter_weights, add_lora, is_adapted, merged_weights

Kinds = pytest.mark.parametrize("kind", ["tiny_seq2seq", "tiny_causal"])


def test_a_missing_peft_is_named_with_what_to_type(
    tiny_causal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    base = open_checkpoint(str(tiny_causal), "tiny")
    with pytest.raises(MissingExtraError, match=r"pip install mitools\[lora\]"):
        add_lora(base.model, 2)
    assert merged_weights(base.model) is None


@Kinds
def test_adapters_begin_as_nothing_and_are_all_that_is_trained(
    request: pytest.FixtureRequest, kind: str
) -> None:
    pytest.importorskip("peft")
    base = open_checkpoint(str(request.getfixturevalue(kind)), kind)
    codec = Codec(base.tokenizer, base.kind)
    pairs = codec.pad([codec.encode_prompt("label", "x")[0]], [[5, 6, 1]])
    model = base.model.eval()
    with torch.no_grad():
        before = target_logits(model, base.kind, pairs)
        assert not is_adapted(model)
        add_lora(model, 2)
        assert torch.equal(target_logits(model, base.kind, pairs), before)
    assert is_adapted(model)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained == adapter_weights(model).keys()
    assert trained
    assert has_plain_head(model, base.kind, pairs)


@Kinds
def test_what_is_saved_needs_no_adapter(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    base = open_checkpoint(str(request.getfixturevalue(kind)), kind)
    names = set(base.model.state_dict())
    codec = Codec(base.tokenizer, base.kind, 64, 12, 20)
    pairs = codec.pad([codec.encode_prompt("label", "x")[0]], [[5, 6, 1]])
    add_lora(base.model, 2)
    torch.manual_seed(1)
    for weight in adapter_weights(base.model).values():
        torch.nn.init.normal_(weight, std=0.1)  # shares its memory with the model
    model = base.model.eval()
    merged = merged_weights(model)
    assert merged is not None
    assert set(merged) == names
    with torch.no_grad():
        expected = target_logits(model, base.kind, pairs)
        save_student(tmp_path / "s", model, codec, {})
        assert torch.equal(target_logits(model, base.kind, pairs), expected)
        auto = AutoModelForCausalLM if base.kind == "causal" else AutoModelForSeq2SeqLM
        plain = auto.from_pretrained(tmp_path / "s").eval()
        assert not is_adapted(plain)
        assert torch.allclose(target_logits(plain, base.kind, pairs), expected, atol=1e-4)
        untouched = open_checkpoint(str(request.getfixturevalue(kind)), kind).model.eval()
        assert not torch.allclose(target_logits(untouched, base.kind, pairs), expected, atol=1e-2)
    assert load_student(tmp_path / "s").generate_labels(["x"])[0].tokens <= 12
    assert not list((tmp_path / "s").glob("*adapter*"))

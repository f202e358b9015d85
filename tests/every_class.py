"""Tiny models of every class that transformers maps, for tests that must hold for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import transformers
from transformers import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
)

from mitools.student.codec import Kind

LARGEST = 20_000_000

_WIDTHS = ("hidden_size", "d_model", "n_embd", "dim", "embedding_size", "lru_width")
_INNER = (
    "intermediate_size",
    "d_ff",
    "ffn_dim",
    "encoder_ffn_dim",
    "decoder_ffn_dim",
    "n_inner",
    "moe_intermediate_size",
    "expert_ffn_hidden_size",
    "shared_expert_intermediate_size",
)
_LAYERS = (
    "num_hidden_layers",
    "n_layer",
    "n_layers",
    "num_layers",
    "encoder_layers",
    "decoder_layers",
    "num_decoder_layers",
    "num_encoder_layers",
)
_HEADS = (
    "num_attention_heads",
    "n_head",
    "n_heads",
    "num_heads",
    "encoder_attention_heads",
    "decoder_attention_heads",
    "num_encoder_attention_heads",
    "num_decoder_attention_heads",
)
_POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx")
_REST = {
    "num_key_value_heads": 2,
    "num_kv_heads": 2,
    "head_dim": 8,
    "d_kv": 8,
    "num_local_experts": 4,
    "num_experts": 4,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "n_group": 1,
    "topk_group": 1,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "first_k_dense_replace": 1,
    "state_size": 8,
    "time_step_rank": 4,
    "rotary_dim": 8,
    "conv_kernel": 4,
    "expand": 2,
    "mamba_d_state": 8,
    "mamba_n_heads": 4,
    "mamba_d_head": 16,
    "mamba_n_groups": 1,
}


class Unbuilt(Exception):
    """No tiny configuration of a class was found; the message says why."""


def classes() -> list[tuple[Kind, str, str]]:
    """Give kind, model type and name of every class for text that transformers maps."""
    found: dict[str, tuple[Kind, str, str]] = {}
    mappings: tuple[tuple[Kind, Any], ...] = (
        ("causal", MODEL_FOR_CAUSAL_LM_MAPPING_NAMES),
        ("seq2seq", MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES),
    )
    for kind, mapping in mappings:
        for model_type, names in mapping.items():
            name = names if isinstance(names, str) else names[0]
            found.setdefault(name, (kind, model_type, name))
    return list(found.values())


def build(kind: Kind, model_type: str, name: str, tokenizer: Any) -> Any:
    """Build a model of a class with random weights, as small as it lets itself be made.

    Raises:
        Unbuilt: nothing that was tried works, or all of it is large.
    """
    reason = ""
    for values in _variants(tokenizer):
        try:
            config = CONFIG_MAPPING[model_type](**values)
            model_class = getattr(transformers, name)
            with torch.device("meta"):
                size = sum(one.numel() for one in model_class(config).parameters())
            if size > LARGEST:
                raise Unbuilt(f"{size:,} weights at the least")
            torch.manual_seed(0)
            model = model_class(config).eval()
            _run(model)
        except Exception as exc:
            if isinstance(exc, Unbuilt):
                reason = reason or str(exc)
            reason = reason or f"{type(exc).__name__}: {str(exc).strip().partition(chr(10))[0]}"
            continue
        if model.config.is_encoder_decoder != (kind == "seq2seq"):
            reason = "by default it is a model of the other kind"
            continue
        return model
    raise Unbuilt(reason)


def _run(model: Any) -> None:
    """Make sure that the numbers of a configuration go together."""
    ids = torch.ones(1, 5, dtype=torch.long)
    more = {"decoder_input_ids": ids} if model.config.is_encoder_decoder else {}
    with torch.no_grad():
        model(input_ids=ids, **more)


def _variants(tokenizer: Any) -> Iterator[dict[str, Any]]:
    end = tokenizer.eos_token_id
    base = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": end,
        "bos_token_id": end,
        "decoder_start_token_id": tokenizer.pad_token_id,
        **dict.fromkeys(_WIDTHS, 32),
        **dict.fromkeys(_INNER, 64),
        **dict.fromkeys(_LAYERS, 2),
        **dict.fromkeys(_HEADS, 4),
        **dict.fromkeys(_POSITIONS, 128),
        **_REST,
    }
    plain = {name: value for name, value in base.items() if name != "head_dim"}
    yield plain
    yield base
    yield {**plain, "num_key_value_heads": 4}
    for text in (base, plain):
        yield {**text, "text_config": text}
        yield {**text, "encoder": text, "decoder": text}
    yield {k: v for k, v in plain.items() if k not in ("v_head_dim", "num_layers")}
    few = ("vocab_size", "hidden_size", "d_model", "intermediate_size", "num_attention_heads")
    ids = ("pad_token_id", "eos_token_id", "bos_token_id", "decoder_start_token_id")
    split = ("num_encoder_layers", "num_decoder_layers", "num_encoder_attention_heads")
    yield {
        name: base[name] for name in (*few, *ids, *split, "num_decoder_attention_heads")
    } | dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 64)
    yield {name: base[name] for name in (*few, *ids, "num_hidden_layers", "n_layer", "n_head")}
    yield {**plain, "is_decoder": True}

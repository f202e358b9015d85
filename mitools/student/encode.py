"""Sentence encoders: texts to unit vectors, so that two texts can be compared by what they mean.

Reads the folders of the sentence-transformers package without it: an encoder, its pooling by the
mean over real tokens, and maybe a normalization, which a cosine does not need. Any other step is
refused, since leaving it out would give other vectors.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging as transformers_logging

from mitools.errors import MissingExtraError, SourceError
from mitools.student.codec import tokenizable

__all__ = ["SentenceEncoder", "find_encoder", "pool"]

_ROWS = 32
_LONGEST = 512
_STEPS = ("Transformer", "Pooling", "Normalize")
_HINT = 'name a folder of sentence-transformers, or "package:NAME"'


def find_encoder(spec: str) -> Path:
    """Find the folder of an encoder: a path, or ``package:NAME`` for that in an installed package.

    Raises:
        SourceError: there is none.
        MissingExtraError: the package is not installed.
    """
    name = spec.removeprefix("package:")
    if name == spec:
        if not (Path(spec) / "config.json").is_file():
            raise SourceError(f"{spec} holds no sentence encoder", hint=_HINT)
        return Path(spec)
    found = importlib.util.find_spec(name) if name.isidentifier() else None
    if found is None or found.origin is None:
        hint = f'"pip install {name.replace("_", "-")}"'
        raise MissingExtraError(f"the package {name} is not installed", hint=hint)
    # Pooling has a config.json too, in a folder below the encoder's own.
    configs = Path(found.origin).parent.rglob("config.json")
    folders = sorted((path.parent for path in configs), key=lambda path: len(path.parts))
    if not folders:
        raise SourceError(f"the package {name} carries no sentence encoder", hint=_HINT)
    return folders[0]


def pool(states: Tensor, mask: Tensor) -> Tensor:
    """Average states over real tokens.

    Args:
        states: [B, T, D] of each token.
        mask: [B, T] 1 on real tokens.

    Returns:
        [B, D]; zeros where a row has no real token.
    """
    weights = mask[..., None].to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)


def _pooling_modes(settings: dict[str, Any]) -> set[str]:
    """Name how an encoder pools; the format has changed from one switch a mode to one name."""
    if isinstance(named := settings.get("pooling_mode"), str):
        return {named}
    prefix, suffix = "pooling_mode_", "_tokens"  # mean_tokens, but cls_token
    switched = (name for name, is_on in settings.items() if is_on and name.startswith(prefix))
    return {name.removeprefix(prefix).removesuffix(suffix) for name in switched}


class SentenceEncoder:
    """A sentence encoder in memory.

    Attributes:
        name: what it was asked for by.
        folder: where it lies.
    """

    def __init__(self, spec: str, device: str | None = None) -> None:
        """Load it.

        Args:
            spec: see :func:`find_encoder`.
            device: a torch device; by default the GPU where there is one.

        Raises:
            SourceError: it cannot be opened, or has a step that is not known here.
            MissingExtraError: the package is not installed.
        """
        self.name = spec
        self.folder = find_encoder(spec)
        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        self._check_steps()
        settings = self._read("sentence_bert_config.json")
        self._lowers_case = bool(settings.get("do_lower_case"))
        chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(self.folder)
            self._model = AutoModel.from_pretrained(self.folder, dtype=torch.float32)
        except (OSError, ValueError, KeyError) as exc:
            reason = str(exc).strip().partition("\n")[0] or type(exc).__name__
            raise SourceError(f"cannot open the encoder {spec}: {reason}", hint=_HINT) from exc
        self._model.to(chosen).eval()
        positions = getattr(self._model.config, "max_position_embeddings", None) or _LONGEST
        self._longest = min(settings.get("max_seq_length") or _LONGEST, positions)

    def _check_steps(self) -> None:
        """Make sure that mean pooling is what it was trained with."""
        steps = self._read("modules.json") or []
        for step in steps:
            kind = str(step.get("type")).rpartition(".")[2]
            if kind not in _STEPS:
                message = f"{self.name} has a step {kind}, which is not known here"
                raise SourceError(message, hint="name an encoder with mean pooling and no more")
            pooling = self._read(f"{step.get('path')}/config.json") if kind == "Pooling" else {}
            modes = _pooling_modes(pooling)
            if modes and modes != {"mean"}:
                message = f"{self.name} pools by {', '.join(sorted(modes))}, not by the mean"
                raise SourceError(message, hint="name an encoder with mean pooling")

    def _read(self, name: str) -> Any:
        path = self.folder / name
        try:
            return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except (OSError, ValueError) as exc:
            raise SourceError(f"cannot read {path}: {exc}", hint=_HINT) from exc

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> Tensor:
        """Encode texts: [n, D] vectors of length 1, float32, on the CPU; shorter texts batched."""
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        rows: dict[int, Tensor] = {}
        for first in range(0, len(order), _ROWS):
            places = order[first : first + _ROWS]
            batch = self._tokenizer(
                [self._prepared(texts[place]) for place in places],
                padding=True,
                truncation=True,
                max_length=self._longest,
                return_tensors="pt",
            ).to(self._model.device)
            states = self._model(**batch).last_hidden_state
            vectors = torch.nn.functional.normalize(pool(states, batch["attention_mask"]), dim=-1)
            rows.update(zip(places, vectors.float().cpu(), strict=True))
        width = self._model.config.hidden_size
        return (
            torch.stack([rows[place] for place in range(len(texts))])
            if rows
            else (torch.zeros(0, width))
        )

    def _prepared(self, text: str) -> str:
        text = tokenizable(text)
        return text.lower() if self._lowers_case else text

    def similarities(self, texts: Sequence[str], references: Sequence[str]) -> list[float]:
        """Compare each text with its reference: cosines, from -1 to 1."""
        pairs = self.encode([*texts, *references])
        cosines = (pairs[: len(texts)] * pairs[len(texts) :]).sum(dim=-1).clamp(-1, 1)
        found: list[float] = cosines.tolist()
        return found

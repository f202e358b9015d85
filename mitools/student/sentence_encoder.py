"""Sentence encoders: texts to unit vectors, so that two texts can be compared by meaning.

Reads the folders of the sentence-transformers package without that package: an encoder, mean
pooling over real tokens, and optionally a normalization, which a cosine does not need. Any other
module is refused, since leaving it out would give other vectors.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel

from mitools.errors import SourceError, StudentError
from mitools.student.base.fit import check_loaded, check_room
from mitools.student.base.open_base import be_quiet, load_tokenizer, look_into
from mitools.student.base.packages import PREFIX, find_packaged_model
from mitools.student.boundary import library_errors
from mitools.student.codec import tokenizable
from mitools.student.devices import choose_device

__all__ = ["SentenceEncoder", "find_encoder", "pool"]

_ROWS = 32
_LONGEST = 512
_STEPS = ("Transformer", "Pooling", "Normalize")
_HINT = 'name a folder of sentence-transformers, or "package:NAME"'


def find_encoder(spec: str) -> Path:
    """Find the folder of an encoder: a path, or ``package:NAME`` for one in a Python package.

    Raises:
        SourceError: the folder is not a sentence encoder.
        StudentError: the package contains no encoder.
        MissingExtraError: the package is not installed.
    """
    if spec.startswith(PREFIX):
        folder, gguf = find_packaged_model(spec.removeprefix(PREFIX))
        if gguf:
            raise SourceError(f"{spec} is a GGUF file, not a sentence encoder", hint=_HINT)
        return folder
    if not (Path(spec) / "config.json").is_file():
        raise SourceError(f"{spec} is not a sentence encoder", hint=_HINT)
    return Path(spec)


def pool(states: Tensor, mask: Tensor) -> Tensor:
    """Average states over real tokens.

    Args:
        states: [B, T, D] of each token.
        mask: [B, T] 1 on real tokens.

    Returns:
        [B, D]; zeros for a row without real tokens.
    """
    weights = mask[..., None].to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)


def _pooling_modes(settings: dict[str, Any]) -> set[str]:
    """Name the pooling modes of an encoder: older files have one switch per mode, newer a name."""
    if isinstance(named := settings.get("pooling_mode"), str):
        return {named}
    prefix, suffix = "pooling_mode_", "_tokens"  # mean_tokens, but cls_token
    switched = (name for name, is_on in settings.items() if is_on and name.startswith(prefix))
    return {name.removeprefix(prefix).removesuffix(suffix) for name in switched}


class SentenceEncoder:
    """A sentence encoder in memory.

    Attributes:
        name: the path or ``package:NAME`` that it was opened by.
        folder: its folder.
    """

    def __init__(self, spec: str, device: str | None = None) -> None:
        """Load it.

        Args:
            spec: see :func:`find_encoder`.
            device: a torch device; by default the GPU if there is one.

        Raises:
            UsageError: there is no such device.
            SourceError: it cannot be opened, or has an unsupported module.
            StudentError: the package contains no encoder.
            MissingExtraError: the package is not installed.
        """
        chosen = choose_device(device)
        self.name = spec
        self.folder = find_encoder(spec)
        be_quiet()
        self._check_steps()
        settings = self._read("sentence_bert_config.json")
        if not isinstance(settings, dict):
            message = f"{self.folder / 'sentence_bert_config.json'} does not hold an object"
            raise SourceError(message, hint=_HINT)
        self._lowers_case = bool(settings.get("do_lower_case"))
        try:
            self._model, self._tokenizer = self._open()
        except StudentError as exc:
            message = exc.message.replace("the student", "the encoder")
            raise SourceError(message, hint=exc.hint) from exc
        with library_errors(f"cannot move the encoder {spec} to {chosen}", 'try "--device cpu"'):
            self._model.to(chosen).eval()
        positions = getattr(self._model.config, "max_position_embeddings", None) or _LONGEST
        longest = settings.get("max_seq_length") or _LONGEST
        if type(longest) is not int or longest < 1:
            raise SourceError(f"{spec} has max_seq_length {longest!r}", hint=_HINT)
        self._longest = min(longest, positions)

    def _open(self) -> tuple[Any, Any]:
        """Open model and tokenizer, whose files must fit together.

        Raises:
            StudentError: they cannot be opened.
        """
        folder = str(self.folder)
        with library_errors(f"cannot open the encoder {self.name}", _HINT):
            inventory = look_into(folder, self.name)
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
            build = AutoModel.from_config
            check_room(lambda: build(config, trust_remote_code=False), inventory, self.name)
            model, found = AutoModel.from_pretrained(
                folder,
                dtype=torch.float32,
                trust_remote_code=False,
                weights_only=True,
                ignore_mismatched_sizes=True,  # they are refused below, with their names
                output_loading_info=True,
            )
            missing = {key for key in found["missing_keys"] if not key.startswith("pooler.")}
            check_loaded({**found, "missing_keys": missing}, self.name, strict=False)
            tokenizer = load_tokenizer(folder, self.name)
            rows = len(model.get_input_embeddings().weight)
            if max(tokenizer.get_vocab().values(), default=0) >= rows:
                message = f"{self.name}: its tokenizer has more tokens than its model"
                raise StudentError(message, hint="use the tokenizer that belongs to this model")
        return model, tokenizer

    def _check_steps(self) -> None:
        """Check that the encoder has mean pooling and no unsupported module."""
        steps = self._read("modules.json") or []
        if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
            raise SourceError(f"{self.folder / 'modules.json'} does not list modules", hint=_HINT)
        for step in steps:
            kind = str(step.get("type")).rpartition(".")[2]
            if kind not in _STEPS:
                message = f"{self.name} has the module {kind}, which is not supported"
                raise SourceError(message, hint="name an encoder with mean pooling only")
            pooling = self._read(f"{step.get('path')}/config.json") if kind == "Pooling" else {}
            modes = _pooling_modes(pooling if isinstance(pooling, dict) else {})
            if modes and modes != {"mean"}:
                message = f"{self.name} has {', '.join(sorted(modes))} pooling, not mean pooling"
                raise SourceError(message, hint="name an encoder with mean pooling")

    def _read(self, name: str) -> Any:
        path = self.folder / name
        try:
            return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except (OSError, ValueError, RecursionError) as exc:
            raise SourceError(f"cannot read {path}: {exc}", hint=_HINT) from exc

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> Tensor:
        """Encode texts: [n, D] unit vectors, float32, on the CPU; batches are sorted by length."""
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
        values: list[float] = cosines.tolist()
        return values

"""Export to ONNX by PyTorch's exporter, for ONNX Runtime.

Files, inputs and outputs have the names of Optimum's exports without a cache: ``model.onnx`` of a
causal student; ``encoder_model.onnx`` and ``decoder_model.onnx`` of an encoder-decoder student. So
each token reads all tokens before it again.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mitools.errors import StudentError
from mitools.export.options import ExportOptions
from mitools.export.protocol import Reply
from mitools.export.targets.packages import require_packages
from mitools.student.base.open_base import open_checkpoint
from mitools.student.boundary import library_errors
from mitools.student.layout import Purpose
from mitools.student.local import LocalStudent

__all__ = ["OnnxExporter"]

_CHOOSE = "choose another target, or a student such as a T5 or a Llama"
_ROWS = 8

Arrays = Mapping[str, Any]


class OnnxExporter:
    """Converts students for ONNX Runtime."""

    title = "ONNX Runtime"

    def require(self, options: ExportOptions, student: LocalStudent) -> None:
        """Check that exporter and runtime are installed."""
        require_packages("--to onnx", "onnx", "onnx", "onnxscript", "onnxruntime")
        if getattr(student.model.config, "model_type", "") == "encoder-decoder":
            message = "an encoder-decoder student that was warm-started cannot be exported to ONNX"
            raise StudentError(message, hint="choose another target")

    def convert(self, folder: Path, out: Path, options: ExportOptions) -> None:
        """Write the graphs, and the configuration and tokenizer beside them."""
        base = open_checkpoint(str(folder), "the student", strict=True)
        model = base.model.eval()
        model.config.use_cache = False
        with library_errors("PyTorch cannot export the student to ONNX", _CHOOSE):
            if base.kind == "causal":
                _write(_Causal(model), _causal_inputs(), ["logits"], out / "model.onnx")
            else:
                width = model.config.hidden_size
                encoder, decoder = out / "encoder_model.onnx", out / "decoder_model.onnx"
                _write(_Encoder(model), _encoder_inputs(), ["last_hidden_state"], encoder)
                _write(_Decoder(model), _decoder_inputs(width), ["logits"], decoder)
            model.config.save_pretrained(out)
            model.generation_config.save_pretrained(out)
            base.tokenizer.save_pretrained(out)

    @contextmanager
    def open(self, out: Path, student: LocalStudent) -> Iterator[_Opened]:
        """Open the graphs in ONNX Runtime, on the CPU."""
        with library_errors("ONNX Runtime cannot open what was exported", _CHOOSE):
            opened = _Opened(out, student)
        yield opened

    def usage(self, student: LocalStudent, purpose: Purpose) -> str:
        """Name the graphs and their inputs."""
        return _CAUSAL if student.codec.kind == "causal" else _SEQ2SEQ


_CAUSAL = """\
    import onnxruntime
    session = onnxruntime.InferenceSession("DIR/model.onnx")
    # input_ids, attention_mask, position_ids -> logits; decode greedily to the end token
"""
_SEQ2SEQ = """\
    import onnxruntime
    encoder = onnxruntime.InferenceSession("DIR/encoder_model.onnx")
    decoder = onnxruntime.InferenceSession("DIR/decoder_model.onnx")
    # encoder: input_ids, attention_mask -> last_hidden_state
    # decoder: input_ids, encoder_hidden_states, encoder_attention_mask -> logits
"""


class _Causal(nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> Tensor:
        output = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            use_cache=False,
        )
        logits: Tensor = output.logits
        return logits


class _Encoder(nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.encoder = model.get_encoder()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        output = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
        states: Tensor = output.last_hidden_state
        return states


class _Decoder(nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Tensor, encoder_hidden_states: Tensor, encoder_attention_mask: Tensor
    ) -> Tensor:
        output = self.model(
            decoder_input_ids=input_ids,
            encoder_outputs=(encoder_hidden_states,),
            attention_mask=encoder_attention_mask,
            use_cache=False,
        )
        logits: Tensor = output.logits
        return logits


# The masks have padding: of a mask without any, the graph would have no attention mask at all.
_MASK = [[0, 1, 1, 1, 1], [1, 1, 1, 1, 1]]


def _causal_inputs() -> dict[str, Tensor]:
    ids, mask = torch.ones(2, 5, dtype=torch.long), torch.tensor(_MASK)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    return {"input_ids": ids, "attention_mask": mask, "position_ids": positions}


def _encoder_inputs() -> dict[str, Tensor]:
    ids = torch.ones(2, 5, dtype=torch.long)
    return {"input_ids": ids, "attention_mask": torch.tensor(_MASK)}


def _decoder_inputs(width: int) -> dict[str, Tensor]:
    ids = torch.ones(2, 3, dtype=torch.long)
    mask = torch.tensor(_MASK)
    states = torch.zeros(2, 5, width)
    return {
        "input_ids": ids,
        "encoder_hidden_states": states,
        "encoder_attention_mask": mask,
    }


def _write(module: nn.Module, inputs: Mapping[str, Tensor], outputs: list[str], path: Path) -> None:
    """Export one graph, with any batch size and any length."""
    auto = torch.export.Dim.DYNAMIC
    shapes = {name: {0: auto, 1: auto} for name in inputs}
    with warnings.catch_warnings(), _quiet_exporter(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            (),
            str(path),
            kwargs=dict(inputs),
            input_names=list(inputs),
            output_names=outputs,
            dynamic_shapes=shapes,
            dynamo=True,
            external_data=True,
            verbose=False,
        )


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep the exporter's warnings, such as of missing optional packages, off stderr."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


class _Opened:
    """Greedy decoding without a cache."""

    token_error = 0.0

    def __init__(self, out: Path, student: LocalStudent) -> None:
        from onnxruntime import InferenceSession

        def session(name: str) -> Any:
            return InferenceSession(str(out / name), providers=["CPUExecutionProvider"])

        self._codec = student.codec
        self._start = getattr(student.model.config, "decoder_start_token_id", None)
        if student.codec.kind == "causal":
            self._graph = session("model.onnx")
        else:
            self._encoder = session("encoder_model.onnx")
            self._graph = session("decoder_model.onnx")

    def answer(self, texts: Sequence[str], purpose: Purpose) -> list[Reply]:
        replies: list[Reply] = []
        for place in range(0, len(texts), _ROWS):
            replies += self._answer(texts[place : place + _ROWS], purpose)
        return replies

    def _answer(self, texts: Sequence[str], purpose: Purpose) -> list[Reply]:
        codec = self._codec
        prompts = [ids for ids, _ in codec.encode_prompts(purpose, texts)]
        pairs = codec.pad(prompts, [[] for _ in prompts])
        ids, mask = pairs.prompt_ids.numpy(), pairs.prompt_mask.numpy()
        if codec.kind == "causal":
            written, logits_of = ids, self._causal_step(mask)
        else:
            states = self._encoder.run(None, {"input_ids": ids, "attention_mask": mask})[0]
            written = np.full((len(ids), 1), self._start)
            logits_of = self._decoder_step(states, mask)
        rows: list[list[int]] = [[] for _ in prompts]
        sums = [0.0] * len(prompts)
        end = codec.tokenizer.eos_token_id
        for _ in range(codec.limit(purpose)):
            tokens, log_probs = _best(logits_of(written))
            written = np.concatenate([written, tokens[:, None]], axis=1)
            for row, text in enumerate(rows):
                if not text or text[-1] != end:
                    text.append(int(tokens[row]))
                    sums[row] += float(log_probs[row])
            if all(text[-1] == end for text in rows):
                break
        return [
            Reply(codec.decode(text), total, True, len(text))
            for text, total in zip(rows, sums, strict=True)
        ]

    def _causal_step(self, mask: Any) -> Callable[[Any], Any]:
        def logits_of(written: Any) -> Any:
            more = np.ones((len(mask), written.shape[1] - mask.shape[1]), mask.dtype)
            whole = np.concatenate([mask, more], axis=1)
            positions = np.maximum(whole.cumsum(1) - 1, 0)
            inputs = {"input_ids": written, "attention_mask": whole, "position_ids": positions}
            return self._graph.run(None, inputs)[0]

        return logits_of

    def _decoder_step(self, states: Any, mask: Any) -> Callable[[Any], Any]:
        def logits_of(written: Any) -> Any:
            inputs = {
                "input_ids": written,
                "encoder_hidden_states": states,
                "encoder_attention_mask": mask,
            }
            return self._graph.run(None, inputs)[0]

        return logits_of


def _best(logits: Any) -> tuple[Any, Any]:
    """Return the likeliest next tokens [B] and their log-probabilities [B], of logits [B, T, V]."""
    last = logits[:, -1].astype(np.float64)
    last -= last.max(axis=1, keepdims=True)
    tokens = last.argmax(axis=1)
    chosen = np.take_along_axis(last, tokens[:, None], axis=1)[:, 0]
    return tokens, chosen - np.log(np.exp(last).sum(axis=1))

"""Export to CTranslate2, with its own converter.

The folder holds the tokenizer too. A prompt is encoded by the student's codec and passed as tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mitools.errors import StudentError
from mitools.export.options import ExportOptions
from mitools.export.protocol import Reply
from mitools.export.targets.packages import require_packages
from mitools.student.boundary import library_errors
from mitools.student.layout import Purpose
from mitools.student.local import LocalStudent

__all__ = ["CTranslate2Exporter"]

_ROWS = 16
_CHOOSE = "choose another target, or a student such as a T5, a Llama or a Qwen"


class CTranslate2Exporter:
    """Converts students for CTranslate2."""

    title = "CTranslate2"

    def require(self, options: ExportOptions, student: LocalStudent) -> None:
        """Check that CTranslate2 is installed and knows the architecture."""
        require_packages("--to ct2", "ct2", "ctranslate2")
        from ctranslate2.converters import transformers as converters

        name = type(student.model.config).__name__
        if name not in converters._MODEL_LOADERS:
            raise StudentError(f"CTranslate2 has no converter for a {name}", hint=_CHOOSE)

    def convert(self, folder: Path, out: Path, options: ExportOptions) -> None:
        """Convert the weights, and copy the tokenizer beside them."""
        from ctranslate2.converters import TransformersConverter

        tokenizer_files = [path.name for path in folder.glob("*token*") if path.is_file()]
        quantization = None if options.quantize == "none" else options.quantize
        with library_errors("CTranslate2 cannot convert the student", _CHOOSE):
            converter = TransformersConverter(
                str(folder), copy_files=tokenizer_files, trust_remote_code=False
            )
            converter.convert(str(out), quantization=quantization, force=True)
        _name_start_token(out / "config.json")

    @contextmanager
    def open(self, out: Path, student: LocalStudent) -> Iterator[_Opened]:
        """Open the converted model on the CPU."""
        import ctranslate2

        kind = ctranslate2.Translator if student.codec.kind == "seq2seq" else ctranslate2.Generator
        with library_errors("CTranslate2 cannot open what it converted", _CHOOSE):
            model = kind(str(out), device="cpu")
        yield _Opened(model, student)

    def usage(self, student: LocalStudent, purpose: Purpose) -> str:
        """Give a snippet for encoder-decoder and causal students, with the prompt of the task."""
        codec = student.codec
        usage = _CAUSAL if codec.kind == "causal" else _SEQ2SEQ
        form = json.dumps(codec.lead(purpose) + "{text}" + codec.tail(purpose))
        ids = codec.tokenizer(codec.lead(purpose) + codec.tail(purpose))["input_ids"]
        adds_end = ids[-1:] == [codec.tokenizer.eos_token_id]  # the codec leaves it out
        cut = "[:-1]" if codec.kind == "causal" and adds_end else ""
        return usage.format(prompt=f"f{form}", cut=cut)


_SEQ2SEQ = """\
    import ctranslate2, transformers
    tokenizer = transformers.AutoTokenizer.from_pretrained("DIR")
    model = ctranslate2.Translator("DIR")
    tokens = tokenizer.convert_ids_to_tokens(tokenizer.encode({prompt}))
    best = model.translate_batch([tokens], beam_size=1)[0].hypotheses[0]
    print(tokenizer.decode(tokenizer.convert_tokens_to_ids(best)))
"""
_CAUSAL = """\
    import ctranslate2, transformers
    tokenizer = transformers.AutoTokenizer.from_pretrained("DIR")
    model = ctranslate2.Generator("DIR")
    tokens = tokenizer.convert_ids_to_tokens(tokenizer.encode({prompt}){cut})
    best = model.generate_batch([tokens], include_prompt_in_result=False)[0].sequences_ids[0]
    print(tokenizer.decode(best, skip_special_tokens=True))
"""


def _name_start_token(path: Path) -> None:
    """Name a start token where the tokenizer has none: CTranslate2 refuses a null.

    No prompt gets it, as the student's codec encodes them.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    if "bos_token" in found and found["bos_token"] is None:
        found["bos_token"] = found["eos_token"]
        path.write_text(json.dumps(found, indent=2, ensure_ascii=False), encoding="utf-8")


class _Opened:
    token_error = 0.0

    def __init__(self, model: Any, student: LocalStudent) -> None:
        self._model = model
        self._codec = student.codec

    def answer(self, texts: Sequence[str], purpose: Purpose) -> list[Reply]:
        codec = self._codec
        prompts = [ids for ids, _ in codec.encode_prompts(purpose, texts)]
        tokens = [codec.tokenizer.convert_ids_to_tokens(ids) for ids in prompts]
        settings = {"beam_size": 1, "length_penalty": 0, "return_scores": True}
        limit = codec.limit(purpose)
        if codec.kind == "seq2seq":
            results = self._model.translate_batch(
                tokens,
                max_decoding_length=limit,
                max_input_length=0,
                max_batch_size=_ROWS,
                return_end_token=True,
                **settings,
            )
            convert = codec.tokenizer.convert_tokens_to_ids
            rows = [(convert(found.hypotheses[0]), found.scores[0]) for found in results]
        else:
            results = self._model.generate_batch(
                tokens,
                max_length=limit,
                max_batch_size=_ROWS,
                include_prompt_in_result=False,
                return_end_token=True,
                end_token=codec.tokenizer.eos_token,
                **settings,
            )
            rows = [(found.sequences_ids[0], found.scores[0]) for found in results]
        return [Reply(codec.decode(ids), score, True, len(ids)) for ids, score in rows]

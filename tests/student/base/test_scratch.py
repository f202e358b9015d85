from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from mitools.demo import problems, solve
from mitools.errors import StudentError
from mitools.student.base.scratch import SIZES, build_scratch, build_tokenizer


def texts(n: int = 200) -> list[str]:
    found = []
    for record in problems(n, 0):
        if record["split"] == "train":
            found += [f"{prefix}{record['input']}" for prefix in ("predict: ", "explain: ")]
            found += [record["label"], solve(record["input"], 0, 0.0)]
    return found


@pytest.fixture(scope="module")
def built() -> tuple[Any, Any]:
    return build_scratch(texts(), "tiny", seed=0)


@pytest.fixture(scope="module")
def saved(built: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scratch")
    for part in built:
        part.save_pretrained(folder)
    return folder


def decode(tokenizer: Any, ids: list[int]) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=True))


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_comes_back_as_it_was(built: tuple[Any, Any], text: str) -> None:
    _, tokenizer = built
    ids = tokenizer(text)["input_ids"]
    assert decode(tokenizer, ids) == text
    assert tokenizer.unk_token_id not in ids


@pytest.mark.parametrize(
    "text",
    ["</s>", "a </s><pad> b", "<unk>", "  two  spaces ", "a\n\tb", "do n't . , !", "٣٤ 日本"],
)
def test_awkward_texts_survive_saving_too(saved: Path, text: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(saved)
    ids = tokenizer(text)["input_ids"]
    assert decode(tokenizer, ids) == text
    assert ids.count(tokenizer.eos_token_id) == 1  # at the end, and not where the text spells it


def test_an_unseen_number_is_made_of_tokens_that_training_showed() -> None:
    tokenizer = build_tokenizer(["has 12 and 34", "( 56 + 70 )", "89 has"] * 9, 320)
    pieces = tokenizer.convert_ids_to_tokens(tokenizer(" 97 403")["input_ids"])
    assert [piece.lstrip("\u0120") for piece in pieces if piece != "\u0120"] == [
        *("9", "7", "4", "0", "3"),
        "</s>",
    ]


def test_a_word_is_the_same_token_at_the_start_and_inside() -> None:
    tokenizer = build_tokenizer(["so maybe yes", "yes maybe", "maybe"] * 9, 300)
    (alone, _) = tokenizer("maybe")["input_ids"]
    assert alone in tokenizer("so maybe")["input_ids"]


def test_a_bracket_is_the_same_token_before_a_period() -> None:
    tokenizer = build_tokenizer(["( a )", "so ( a ).", "( a )?"] * 9, 300)
    label = tokenizer("( a )", add_special_tokens=False)["input_ids"]
    inside = tokenizer("so ( a ).", add_special_tokens=False)["input_ids"]
    assert inside[-1 - len(label) : -1] == label


def test_no_token_holds_two_digits() -> None:
    tokenizer = build_tokenizer(["12 12 12 1234 x12"] * 50, 400)
    for token in tokenizer.get_vocab():
        assert sum(character.isdigit() for character in token) <= 1


def test_special_tokens_stand_where_t5_has_them(built: tuple[Any, Any]) -> None:
    model, tokenizer = built
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id) == (0, 1, 2)
    assert tokenizer("abc")["input_ids"][-1] == 1
    assert 1 not in tokenizer("abc", add_special_tokens=False)["input_ids"]
    assert model.config.decoder_start_token_id == 0
    assert model.generation_config.eos_token_id == 1
    assert model.config.vocab_size == len(tokenizer)


def test_plain_transformers_loads_the_folder(built: tuple[Any, Any], saved: Path) -> None:
    model, tokenizer = built
    again = AutoModelForSeq2SeqLM.from_pretrained(saved)
    ids = tokenizer(["predict: Ann has 12 apples."], return_tensors="pt")
    found = AutoTokenizer.from_pretrained(saved)(["predict: Ann has 12 apples."])
    assert found["input_ids"] == ids["input_ids"].tolist()
    labels = torch.tensor([[5, 6, 1]])
    with torch.no_grad():
        first, second = (m.eval()(**ids, labels=labels).logits for m in (model, again))
    assert torch.equal(first, second)


def test_the_same_texts_and_seed_give_the_same_student() -> None:
    first, second, other = (build_scratch(texts(60), "tiny", seed) for seed in (3, 3, 4))
    assert first[1].get_vocab() == second[1].get_vocab() == other[1].get_vocab()
    weights = [model.state_dict() for model, _ in (first, second, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not torch.equal(weights[0]["shared.weight"], weights[2]["shared.weight"])


def test_building_leaves_the_callers_chance_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    build_scratch(["a"], "tiny", seed=1)
    assert torch.equal(torch.rand(3), expected)


def test_attention_by_distance_starts_wide(built: tuple[Any, Any]) -> None:
    # At T5's own spread, D ** -0.5, a short run ends before a student can copy a number.
    for stack in (built[0].encoder, built[0].decoder):
        bias = stack.block[0].layer[0].SelfAttention.relative_attention_bias.weight
        assert bias.std() > 1


def test_a_larger_size_has_more_weights() -> None:
    counts = [build_scratch(["a"], size)[0].num_parameters() for size in ("tiny", "small", "base")]
    assert counts == sorted(set(counts))
    assert list(SIZES) == ["tiny", "small", "base"]


def test_an_unknown_size_is_refused_with_those_there_are() -> None:
    with pytest.raises(StudentError, match="sizes: tiny, small, base"):
        build_scratch(["a"], "huge")


def test_a_tiny_student_learns_a_text_by_heart() -> None:
    model, tokenizer = build_scratch(["predict: Ann", "( 3 + 4 )"] * 9, "tiny", seed=0)
    ids = tokenizer(["predict: Ann"], return_tensors="pt")["input_ids"]
    labels = tokenizer(["( 3 + 4 )"], return_tensors="pt")["input_ids"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(60):
        model.zero_grad()
        model(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
    answer = model.generate(input_ids=ids, max_new_tokens=20, do_sample=False)[0]
    assert decode(tokenizer, answer.tolist()) == "( 3 + 4 )"

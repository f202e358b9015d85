from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from mitools.evaluate.measures.text import MEASURES, Overlap, longest_common_subsequence, rouge_l

PAIRS = [
    ("He has 3 apples and 4 pears, so 3 + 4 = 7.", "There are 3 apples and 4 pears. 3 + 4 = 7."),
    ("", "The answer must be a place with trains."),
    ("a train station", "Of the choices, only a train station fits."),
    ("Größe und Maß, zwölf", "Die Größe ist zwölf"),
]
WORDS = st.lists(st.sampled_from("abcd"), max_size=12)


def folded(pairs: list[tuple[str, str]]) -> Overlap:
    overlap = Overlap()
    for text, reference in pairs:
        overlap.add(text, reference)
    return overlap


def slow_lcs(left: list[str], right: list[str]) -> int:
    table = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            best = max(table[i][j + 1], table[i + 1][j])
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else best
    return table[-1][-1]


@given(WORDS, WORDS)
def test_the_longest_common_subsequence_equals_the_plain_table(a: list[str], b: list[str]) -> None:
    assert longest_common_subsequence(a, b) == slow_lcs(a, b)


def test_rouge_l_by_hand() -> None:
    # "the cat sat" in both orders share "the cat": 2·2 / (3 + 4)
    assert rouge_l("The cat sat", "sat the cat down") == pytest.approx(4 / 7)


def test_rouge_l_equals_the_rouge_score_package_on_ascii() -> None:
    scorer = RougeScorer(["rougeL"])
    for text, reference in PAIRS[:3]:
        expected = scorer.score(reference, text)["rougeL"].fmeasure
        assert rouge_l(text, reference) == pytest.approx(expected)


def test_rouge_l_sees_letters_beyond_ascii() -> None:
    assert rouge_l("Привет, мир", "привет мир") == 1


def test_bleu_and_chrf_equal_sacrebleu_over_the_corpus() -> None:
    metrics = folded(PAIRS).metrics(seed=0, empty="-")
    texts, references = [text for text, _ in PAIRS], [[reference for _, reference in PAIRS]]
    for name, scorer in (("bleu", BLEU()), ("chrf", CHRF())):
        expected = scorer.corpus_score(texts, references)
        assert metrics[name].value == pytest.approx(expected.score)
        assert metrics[name].details["signature"] == str(scorer.get_signature())
        assert metrics[name].n == 4


@pytest.mark.parametrize(
    ("tokenizer", "pairs"),
    [
        ("zh", [("首都是北京,一座古老的城市", "首都是北京,它是一座很古老的城市"), ("好", "很好")]),
        ("char", [("答えは東京です", "こたえは東京です"), ("เมืองนี้ใหญ่", "เมืองนี้เล็ก")]),
        ("13a", [("the sea is 北 here", "the sea was 北 here, it seems"), ("a b", "a b c")]),
    ],
)
def test_bleu_is_sacrebleus_by_the_script_of_the_references(
    tokenizer: str, pairs: list[tuple[str, str]]
) -> None:
    overlap = Overlap()
    for text, reference in pairs:
        overlap.add(text, reference)
    found = overlap.metrics(0, empty="")["bleu"]
    texts, references = zip(*pairs, strict=True)
    known = BLEU(tokenize=tokenizer, force=True)
    assert found.value == pytest.approx(known.corpus_score(texts, [references]).score)
    assert f"tok:{tokenizer}" in found.details["signature"]
    assert "tokenizers" not in found.details


def test_references_in_several_scripts_name_their_tokenizers() -> None:
    overlap = Overlap()
    for text in ("首都是北京", "the sea is here", "the car"):
        overlap.add(text, text)
    found = overlap.metrics(0, empty="")["bleu"]
    assert found.value == pytest.approx(100)
    assert found.details["tokenizers"] == {"13a": 2, "zh": 1}
    assert "tok:13a" in found.details["signature"]


def test_rouge_l_counts_letters_where_no_spaces_are_written() -> None:
    assert rouge_l("首都是北京", "首都是上海") == pytest.approx(3 / 5)
    assert rouge_l("東京です", "京都です") == pytest.approx(3 / 4)


def test_equal_texts_score_full_marks() -> None:
    metrics = folded([(reference, reference) for _, reference in PAIRS]).metrics(0, empty="-")
    values = [metrics[name].value for name in MEASURES if name != "embedding"]
    assert values == pytest.approx([100, 100, 1, 1])
    assert metrics["bleu"].ci95 is None  # every resample is alike


def test_the_length_ratio_is_tokens_over_tokens() -> None:
    metrics = folded([("a b c", "a b"), ("a", "a b c d e f")]).metrics(0, empty="-")
    assert metrics["length_ratio"].value == pytest.approx(4 / 8)


def test_an_empty_rationale_counts_as_sharing_nothing() -> None:
    metrics = folded([("", "one two three four"), ("one two", "one two")]).metrics(0, empty="-")
    assert metrics["rouge_l"].value == pytest.approx(0.5)


def test_the_order_of_the_pairs_changes_nothing() -> None:
    shuffled = PAIRS.copy()
    random.Random(1).shuffle(shuffled)
    for name, metric in folded(PAIRS).metrics(3, empty="-").items():
        assert folded(shuffled).metrics(3, empty="-")[name].as_json() == metric.as_json()


def test_duplicated_pairs_keep_every_value() -> None:
    once, twice = folded(PAIRS).metrics(0, empty="-"), folded(PAIRS * 2).metrics(0, empty="-")
    for name in MEASURES:
        assert twice[name].value == pytest.approx(once[name].value)


def test_every_interval_holds_its_value() -> None:
    for name, metric in folded(PAIRS).metrics(0, empty="-").items():
        if name == "embedding":
            continue
        low, high = metric.ci95 or (1, 0)
        assert low < (metric.value or 0) < high


def test_no_pairs_are_undefined_for_the_given_reason() -> None:
    metrics = Overlap().metrics(0, empty="no teacher")
    assert {(metric.status, metric.reason) for metric in metrics.values()} == {
        ("undefined", "no teacher")
    }


def test_a_reference_without_a_token_leaves_only_the_length_ratio_undefined() -> None:
    metrics = folded([("a", " ")]).metrics(0, empty="-")
    assert metrics["length_ratio"].status == "undefined"
    assert metrics["bleu"].value == 0


class Meaning:
    """Calls texts alike by the letters that they share."""

    name = "letters"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def similarities(self, texts: Sequence[str], references: Sequence[str]) -> list[float]:
        self.batches.append(len(texts))
        pairs = zip(texts, references, strict=True)
        return [len(set(a) & set(b)) / max(1, len(set(a) | set(b))) for a, b in pairs]


def test_meaning_is_the_mean_of_what_the_encoder_says() -> None:
    meaning = Meaning()
    overlap = Overlap(meaning)
    for text, reference in [("ab", "ab"), ("ab", "bc"), ("ab", "cd")]:
        overlap.add(text, reference)
    found = overlap.metrics(0, empty="")["embedding"]
    assert found.value == pytest.approx((1 + 1 / 3 + 0) / 3, abs=1e-5)
    assert (found.n, found.details["encoder"]) == (3, "letters")
    assert found.ci95 is not None
    assert 0 <= found.ci95[0] < found.value < found.ci95[1] <= 1


def test_pairs_are_encoded_in_batches_and_their_order_changes_nothing() -> None:
    meaning, pairs = Meaning(), [(chr(97 + n % 7), chr(97 + n % 5)) for n in range(150)]
    ahead, back = Overlap(meaning), Overlap(Meaning())
    for pair in pairs:
        ahead.add(*pair)
    for pair in reversed(pairs):
        back.add(*pair)
    assert ahead.metrics(0, empty="") == back.metrics(0, empty="")
    assert meaning.batches == [64, 64, 22]


def test_without_an_encoder_meaning_is_skipped() -> None:
    found = folded(PAIRS).metrics(0, empty="")["embedding"]
    assert found.status == "skipped"
    assert found.reason == 'no sentence encoder was named ("--embedding")'

"""What is found out before the first step: positions, tokenizers, answers, numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from click.testing import CliRunner
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertLMHeadModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    PreTrainedTokenizerFast,
    T5Config,
)

from mitools.cli.train import command
from mitools.errors import StudentError, TrainingError, UsageError
from mitools.student import load_student
from mitools.student.base.open_base import open_base
from mitools.student.base.scratch import build_tokenizer
from mitools.student.codec import Codec
from mitools.student.trial import check_forward
from mitools.train.fields import option_fields
from mitools.train.options import TrainOptions
from mitools.train.preflight import Limits, check_texts, fit_limits, positions_of
from mitools.train.prepare import prepare
from mitools.train.training_run import TrainingRun
from tests.toys import toy_records


def options(folder: Path, student: Path, **changes: Any) -> TrainOptions:
    wanted = {"max_steps": 1, "batch_size": 4, "max_label_tokens": 16, "max_rationale_tokens": 24}
    return TrainOptions(save=folder / "s", student=str(student), **{**wanted, **changes})


def small_gpt2(folder: Path, positions: int) -> Path:
    tokenizer = build_tokenizer((record["input"] for record in toy_records()), 300)
    torch.manual_seed(0)
    ends = {"bos_token_id": 1, "eos_token_id": 1}
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=positions, n_embd=32, n_layer=1, n_head=2, **ends
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


# Positions


def test_inputs_are_cut_where_the_positions_of_a_model_end(tmp_path: Path) -> None:
    student, notes = small_gpt2(tmp_path / "gpt2", 64), []  # type: tuple[Path, list[str]]
    chosen = options(tmp_path, student)
    run = prepare(iter(toy_records()), chosen, notes.append)
    assert isinstance(run, TrainingRun)
    assert notes[0] == "inputs are cut at 40 tokens: the student has 64 positions"
    run.execute()
    run.clean()
    long = "Ann has 3 pears and gets 17 more. " * 20
    opened = load_student(chosen.save, "cpu")
    assert opened.codec.max_input_tokens == 40
    assert len(opened.generate_rationales([long])) == 1


def test_targets_that_leave_no_room_are_refused_with_what_to_type(tmp_path: Path) -> None:
    chosen = options(tmp_path, small_gpt2(tmp_path / "gpt2", 64), max_rationale_tokens=100)
    with pytest.raises(UsageError, match="has 64 positions, too few") as caught:
        prepare(iter(toy_records()), chosen, lambda _: None)
    assert caught.value.hint == 'add "--max-label-tokens 16 --max-rationale-tokens 32"'
    hinted = options(tmp_path, Path(chosen.student), max_rationale_tokens=32)
    run = prepare(iter(toy_records()), hinted, lambda _: None)
    assert isinstance(run, TrainingRun)
    run.execute()


def limits(config: Any, kind: Any, **changes: Any) -> Limits:
    chosen = options(Path("x"), Path("y"), **changes)
    return fit_limits(config, kind, chosen, lambda _: None)


def test_limits_follow_from_positions() -> None:
    bart = BartConfig(max_position_embeddings=128)
    assert limits(bart, "seq2seq") == Limits(128, 16, 24)
    with pytest.raises(UsageError, match='--max-rationale-tokens 128"'):
        limits(bart, "seq2seq", max_rationale_tokens=200)
    assert limits(bart, "seq2seq", max_rationale_tokens=256) == Limits(128, 16, 128)  # the default
    usual = {"max_label_tokens": 64, "max_rationale_tokens": 256}
    assert limits(GPT2Config(n_positions=64), "causal", **usual) == Limits(32, 32, 32)
    llama = LlamaConfig(max_position_embeddings=64)  # rotary positions go on
    assert limits(llama, "causal", **usual) == Limits(512, 64, 256)
    with pytest.raises(UsageError, match='--max-rationale-tokens 63"'):
        limits(bart, "seq2seq", max_rationale_tokens=120, order="label-rationale")
    assert positions_of(T5Config()) == (None, None)
    assert limits(T5Config(), "seq2seq", max_input_tokens=4000).max_input_tokens == 4000
    gpt2 = GPT2Config(n_positions=64)
    assert limits(gpt2, "causal", order="label-rationale").max_input_tokens == 23
    with pytest.raises(UsageError, match="choose a student with more positions"):
        limits(GPT2Config(n_positions=6), "causal")


@pytest.mark.parametrize("one_pass", [{"order": "rationale-label"}, {"mi": "conclude"}])
def test_two_texts_in_one_pass_need_a_position_for_the_end_of_the_first(
    tmp_path: Path, one_pass: dict[str, Any]
) -> None:
    bart = BartConfig(max_position_embeddings=41)
    assert limits(bart, "seq2seq", **one_pass) == Limits(41, 16, 24)
    bart = BartConfig(max_position_embeddings=40)
    set_by_hand = {"max_label_tokens": 14, "max_rationale_tokens": 26, **one_pass}
    with pytest.raises(UsageError, match="has 40 positions, too few") as caught:
        limits(bart, "seq2seq", **set_by_hand)
    assert caught.value.hint == 'add "--max-label-tokens 14 --max-rationale-tokens 19"'
    # Texts that fill their limits train in all positions of a model.
    student = small_gpt2(tmp_path / "gpt2", 64)
    chosen = options(tmp_path, student, max_label_tokens=20, max_rationale_tokens=35, **one_pass)
    long = [
        {**one, "label": "3 " * 60, "task": "text", "input": "many " * 40} for one in toy_records()
    ]
    for record in long:
        record["teacher"] = {"label": record["label"], "rationale": "so " * 90}
    run = prepare(iter(long), chosen, lambda _: None)
    assert isinstance(run, TrainingRun)
    assert run.codec.max_input_tokens == 64 - 56
    run.execute()
    run.clean()


@pytest.mark.parametrize(
    "name",
    [
        "Camembert",
        "Data2VecText",
        "Roberta",
        "RobertaPreLayerNorm",
        "XLMRoberta",
        "XLMRobertaXL",
        "Xmod",
    ],
)
def test_positions_that_begin_behind_the_padding_token_are_fewer(name: str) -> None:
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    ends = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    config = getattr(transformers, f"{name}Config")(
        vocab_size=20, max_position_embeddings=14, num_attention_heads=2, **sizes, **ends
    )
    model = getattr(transformers, f"{name}Model")(config).eval()
    if name == "Xmod":
        model.set_default_language("en_XX")
    most = positions_of(config)[0]
    assert most == 12
    ids = torch.full((1, most), 5)
    assert model(input_ids=ids).last_hidden_state.shape[1] == most
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=torch.full((1, most + 1), 5))
    assert positions_of(BertConfig(max_position_embeddings=14)) == (14, 14)


# Tokenizers


def word_tokenizer(words: str, *, lowers: bool = False) -> PreTrainedTokenizerFast:
    names = ["<pad>", "</s>", "<unk>", *words.split()]
    vocabulary = {word: n for n, word in enumerate(dict.fromkeys(names))}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    if lowers:
        core.normalizer = normalizers.Lowercase()
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


def check(records: list[dict[str, Any]], tokenizer: Any, **changes: Any) -> dict[str, int]:
    chosen = options(Path("x"), Path("y"), **changes)
    return check_texts(lambda: iter(records), Codec(tokenizer, "causal", 64, 16, 24), chosen)


def records_of(*labels: str, task: str = "labels", **more: Any) -> list[dict[str, Any]]:
    return [
        {"id": str(n), "input": "how many pears", "label": label, "task": task, **more}
        for n, label in enumerate(labels)
    ]


KNOWN = "how many pears yes no maybe us US polish"
UNKNOWN = "with a label that is unknown to the tokenizer"
UNWRITTEN = "with a label that the tokenizer cannot write"


def test_two_labels_of_the_same_tokens_are_refused() -> None:
    tokenizer = word_tokenizer(KNOWN)
    assert set(check(records_of("yes", "no", "yes"), tokenizer).values()) == {0}
    with pytest.raises(TrainingError, match='"ja" and "nein" are the same tokens'):
        check(records_of("ja", "nein"), tokenizer)


def test_labels_that_the_task_takes_for_equal_may_be_the_same_tokens() -> None:
    lower = word_tokenizer(KNOWN.lower(), lowers=True)
    check(records_of("Yes", "yes", "YES", "no"), lower)
    with pytest.raises(TrainingError, match="the same tokens"):
        check(records_of("x+1", "x-1", task="text"), lower)


def test_two_choices_of_the_same_tokens_are_refused_even_where_neither_is_gold() -> None:
    found = records_of("yes", task="choice", choices=["yes", "a fox", "a dog"])
    with pytest.raises(TrainingError, match='"a fox" and "a dog" are the same tokens'):
        check(found, word_tokenizer(KNOWN + " a"))
    check(records_of("yes", task="choice", choices=["yes", "yes", "no"]), word_tokenizer(KNOWN))


def test_labels_that_are_cut_alike_are_not_compared() -> None:
    tokenizer = word_tokenizer(KNOWN)
    check(records_of("yes " * 30 + "no", "yes " * 30 + "maybe", task="text"), tokenizer)


def test_two_choices_of_a_record_that_are_cut_alike_are_refused() -> None:
    choices = ["yes " * 30 + "no", "yes " * 30 + "maybe"]
    found = records_of(choices[0], task="choice", choices=choices)
    with pytest.raises(TrainingError, match="the same in their first 16 tokens") as caught:
        check(found, word_tokenizer(KNOWN))
    assert 'yes no" and "' in caught.value.message
    hint = str(caught.value.hint)
    assert hint.startswith('add "--max-label-tokens 32"')
    codec = Codec(word_tokenizer(KNOWN), "causal", 64, 32, 24)
    check_texts(lambda: iter(found), codec, options(Path("x"), Path("y")))  # the hint is enough


def test_choices_that_are_cut_apart_or_in_different_records_are_accepted() -> None:
    tail = "yes " * 30
    apart = records_of("no " + tail, task="choice", choices=["no " + tail, "maybe " + tail])
    check(apart, word_tokenizer(KNOWN))
    rows = [["no", tail + "no"], ["no", tail + "maybe"], [tail + "no", tail + "no"]]
    found = [one for row in rows for one in records_of(row[1], task="choice", choices=row)]
    check(found, word_tokenizer(KNOWN))


def splitting_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer that decodes all words and signs with a space between them, as WordPiece does."""
    return word_tokenizer(KNOWN + " 3 5 . + ( ) don ' t", lowers=True)


def test_a_tokenizer_that_cannot_write_most_labels_is_refused() -> None:
    found = [*records_of("3.5", "5.3", task="equation"), *records_of("3", task="equation")]
    with pytest.raises(TrainingError, match="cannot write 2 of 3 labels") as caught:
        check(found, splitting_tokenizer())
    assert '"3.5" becomes "3 . 5"' in caught.value.message
    some = [*found, *records_of("( 3+5 )", "5", task="equation")]
    assert check(some, splitting_tokenizer()) == {UNKNOWN: 0, UNWRITTEN: 2}


def test_a_label_is_written_where_its_task_takes_what_comes_back_for_equal() -> None:
    texts = records_of("Yes  no", "MAYBE", "yes.", task="text")
    sums = records_of("(3+5)", "3 +5", task="equation")
    assert check([*texts, *sums], splitting_tokenizer())[UNWRITTEN] == 0
    found = check(records_of("yes", "no", "don't", task="text"), splitting_tokenizer())
    assert found[UNWRITTEN] == 1


def test_labels_that_a_student_need_not_write_are_not_counted() -> None:
    tokenizer = splitting_tokenizer()
    chosen = records_of("don't", task="choice", choices=["don't", "yes"])
    unread = records_of("3 pears", "no", task="equation")  # not equal even to itself
    cut = records_of("don't " * 10, task="text")
    lost = records_of("yes", "no", "ja", task="text")
    found = check([*chosen, *unread, *cut, *lost], tokenizer)
    assert found == {UNKNOWN: 1, UNWRITTEN: 0}


def test_the_labels_of_a_long_sorted_file_are_compared_too() -> None:
    records = records_of(*["yes"] * 10_000, *["ja", "nein"] * 2000)
    with pytest.raises(TrainingError, match="are the same tokens"):
        check(records, word_tokenizer(KNOWN))


def test_a_tokenizer_that_knows_no_word_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"\d+ of \d+ tokens of the inputs are unknown"):
        check(records_of("yes", "no"), word_tokenizer("yes no"))
    with pytest.raises(TrainingError, match="tokens of the labels"):
        check(records_of("ja"), word_tokenizer("how many pears"))
    found = check(records_of("yes", "no", "yes", "ja"), word_tokenizer(KNOWN))
    assert found == {UNKNOWN: 1, UNWRITTEN: 0}


def test_a_tokenizer_that_makes_nothing_of_texts_is_refused() -> None:
    core = Tokenizer(models.BPE())
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    with pytest.raises(TrainingError, match="encodes 2 of 2 inputs as no tokens"):
        check(records_of("yes", "yes"), tokenizer)


# Models


def test_a_model_whose_padding_changes_what_it_reads_is_refused(tmp_path: Path) -> None:
    from transformers import BartForCausalLM

    tokenizer = build_tokenizer((record["input"] for record in toy_records()), 300)
    torch.manual_seed(0)
    sizes = {"d_model": 32, "decoder_layers": 1, "decoder_attention_heads": 2}
    config = BartConfig(
        vocab_size=len(tokenizer),
        decoder_ffn_dim=32,
        is_encoder_decoder=False,
        eos_token_id=1,
        **sizes,
    )
    config.pad_token_id = 0
    model = BartForCausalLM(config).eval()
    with pytest.raises(StudentError, match="depend on the padding of a batch"):
        check_forward(model, Codec(tokenizer, "causal"))


@pytest.mark.parametrize("is_decoder", [True, False])
def test_a_model_that_reads_later_tokens_of_a_target_is_refused(is_decoder: bool) -> None:
    tokenizer = build_tokenizer((record["input"] for record in toy_records()), 300)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        is_decoder=is_decoder,
        pad_token_id=0,
    )
    model, codec = BertLMHeadModel(config).eval(), Codec(tokenizer, "causal")
    if is_decoder:
        check_forward(model, codec)
        return
    with pytest.raises(StudentError, match="its attention is not causal") as caught:
        check_forward(model, codec)
    assert '"is_decoder": true' in str(caught.value.hint)


def test_a_model_that_lacks_a_first_token_is_refused(tmp_path: Path, tiny_seq2seq: Path) -> None:
    for path in tiny_seq2seq.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "decoder_start_token_id": None}))
    with pytest.raises(StudentError, match="has no decoder_start_token_id"):
        open_base(str(tmp_path), lambda: iter(()))
    (tmp_path / "config.json").write_text(json.dumps({**config, "decoder_start_token_id": 10**6}))
    with pytest.raises(StudentError, match="ids up to 1,000,000"):
        open_base(str(tmp_path), lambda: iter(()))


def test_a_student_that_cannot_be_saved_is_refused_before_the_first_step(
    tmp_path: Path, tiny_seq2seq: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("The generation config instance is invalid")

    monkeypatch.setattr("transformers.GenerationConfig.save_pretrained", refuse)
    with pytest.raises(StudentError, match="cannot be saved and opened again: The generation"):
        prepare(iter(toy_records()), options(tmp_path, tiny_seq2seq), lambda _: None)
    assert not list(tmp_path.iterdir())


def test_a_model_that_comes_back_as_another_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    student = small_gpt2(tmp_path / "gpt2", 64)
    monkeypatch.setattr("mitools.student.round_trip.KNOWN_TO_SAVE", frozenset())
    save = GPT2LMHeadModel.save_pretrained

    def save_otherwise(self: Any, *args: Any, **rest: Any) -> None:
        with torch.no_grad():
            self.transformer.wte.weight.mul_(1.5)
            save(self, *args, **rest)
            self.transformer.wte.weight.div_(1.5)

    monkeypatch.setattr(GPT2LMHeadModel, "save_pretrained", save_otherwise)
    with pytest.raises(StudentError, match="opened again: its outputs are different then"):
        prepare(iter(toy_records()), options(tmp_path, student), lambda _: None)
    assert not (tmp_path / "s.work").exists()


# Numbers

WRONG = {
    "lr": ["-1", "0", "nan", "inf", "-inf"],
    "alpha": ["2", "-0.1", "nan"],
    "beta": ["-1", "nan", "inf"],
    "epochs": ["0", "-1", "nan", "inf", "1e300"],
    "weight-decay": ["-1", "nan", "inf"],
    "agreement-weight": ["5", "-1", "nan"],
    "seed": ["-1", "4294967296"],
    "max-steps": ["0", "-1", "9" * 30],
    "batch-size": ["0", "9" * 30],
    "micro-batch-size": ["0"],
    "warmup-steps": ["-1", "9" * 30],
    "beta-warmup": ["-1"],
    "lora": ["0"],
    "max-input-tokens": ["0", "9" * 9],
    "max-label-tokens": ["1", "9" * 9],
    "max-rationale-tokens": ["1", "9" * 9],
    "eval-every": ["0"],
    "patience": ["0"],
    "valid-limit": ["0"],
}


@pytest.mark.parametrize(
    ("flag", "value"), [(flag, value) for flag, values in WRONG.items() for value in values]
)
@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_number_out_of_range_is_refused_before_anything_is_read(
    tmp_path: Path, flag: str, value: str, more: list[str]
) -> None:
    arguments = ["no-such-file", "--save", str(tmp_path / "x"), f"--{flag}={value}", *more]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2, result.output
    assert f"--{flag}" in result.output
    assert "no-such-file" not in result.output
    assert not list(tmp_path.iterdir())


def test_every_number_of_a_run_has_a_range() -> None:
    fields = [field for field in option_fields(TrainOptions) if field.type in (int, float)]
    assert len(fields) > 15
    assert [field.name for field in fields if field.help.within is None] == []


def test_the_words_of_a_refusal() -> None:
    said: dict[str, Callable[[], TrainOptions]] = {
        "--alpha must be between 0 and 1, not 2": lambda: options(Path("x"), Path("y"), alpha=2),
        "--lr must be a finite number above 0, not nan": lambda: options(
            Path("x"), Path("y"), learning_rate=float("nan")
        ),
        "--beta must be 0 or a positive number, not -1": lambda: options(
            Path("x"), Path("y"), beta=-1
        ),
    }
    for text, make in said.items():
        with pytest.raises(UsageError) as caught:
            make().check()
        assert str(caught.value) == text


@pytest.mark.parametrize("save", [".", "..", "/", "x/.."])
def test_a_folder_without_a_name_of_its_own_cannot_be_saved_to(save: str) -> None:
    with pytest.raises(UsageError, match="does not name a new folder"):
        TrainOptions(save=Path(save), student="x").check()


# Figures


def figures(folder: Path, student: Path, records: list[dict[str, Any]], **changes: Any) -> Any:
    chosen = options(folder, student, eval_every=1, **changes)
    run = prepare(iter(records), chosen, lambda _: None)
    assert isinstance(run, TrainingRun)
    run.execute()
    run.clean()
    lines = [json.loads(line) for line in (chosen.save / "log.jsonl").read_text().splitlines()]
    metadata = json.loads((chosen.save / "mitools.json").read_text())
    return {name for line in lines for name in line}, metadata["results"], chosen


@pytest.mark.parametrize("select_by", ["accuracy", "label-loss"])
def test_without_labels_there_is_no_figure_of_labels(
    tmp_path: Path, tiny_seq2seq: Path, select_by: str
) -> None:
    bare = [
        {**record, "label": None, "teacher": {"rationale": record["teacher"]["rationale"]}}
        for record in toy_records()
    ]
    names, results, _ = figures(tmp_path, tiny_seq2seq, bare, select_by=select_by, mi="maxpool")
    assert not {n for n in names if "accuracy" in n or "label_loss" in n or "mi_" in n}
    assert {"rationale_loss", "eval_rationale_loss"} <= names
    assert "valid_accuracy" not in results
    assert results["valid_rationale_loss"] > 0


def test_without_rationales_there_is_no_figure_of_them(tmp_path: Path, tiny_seq2seq: Path) -> None:
    bare = [{**record, "teacher": {}} for record in toy_records()]
    names, results, chosen = figures(tmp_path, tiny_seq2seq, bare, mi="maxpool")
    assert not {name for name in names if "rationale" in name or "mi_" in name}
    assert {"label_loss", "eval_label_loss", "eval_accuracy"} <= names
    assert set(results) >= {"valid_accuracy", "valid_label_loss"}
    assert "rationale loss" not in (chosen.save / "README.md").read_text()


def test_without_validation_records_there_is_no_figure_of_them(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    records = [record for record in toy_records() if record["split"] == "train"]
    names, results, _ = figures(tmp_path, tiny_seq2seq, records)
    assert not {name for name in names if name.startswith("eval_")}
    assert not {name for name in results if name.startswith("valid_")}
    assert "mi_loss" not in names  # no such term was trained
    assert results["best_step"] is None


def test_bart_trains_and_answers_beyond_its_positions(tmp_path: Path) -> None:
    tokenizer = build_tokenizer((record["input"] for record in toy_records()), 300)
    torch.manual_seed(0)
    sizes = {f"{side}_{name}": 2 for side in ("encoder", "decoder") for name in ("layers",)}
    heads = {f"{side}_attention_heads": 2 for side in ("encoder", "decoder")}
    config = BartConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=32,
        d_model=32,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=1,
        decoder_start_token_id=1,
        forced_eos_token_id=None,
        **sizes,
        **heads,
    )
    BartForConditionalGeneration(config).save_pretrained(tmp_path / "bart")
    tokenizer.save_pretrained(tmp_path / "bart")
    _, _, chosen = figures(tmp_path, tmp_path / "bart", toy_records())
    student = load_student(chosen.save, "cpu")
    assert student.codec.max_input_tokens == 32
    assert student.generate_labels(["Ann has 3 pears. " * 50])[0].tokens <= 16

"""Whole runs of tiny students: what is saved, passed on, resumed, refused."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mitools.errors import DataError, OutputError, StudentError, TrainingError, UsageError
from mitools.student import load_student
from mitools.student.codec import ORDERS, Order
from mitools.train import training_run
from mitools.train.options import TrainOptions
from mitools.train.prepare import prepare
from mitools.train.training_run import Interrupted
from mitools.train.work_folder.checkpoints import seal
from mitools.train.work_folder.destination import check_destination
from tests.toys import toy_records


def options(tmp_path: Path, student: Path | str, **changes: Any) -> TrainOptions:
    defaults = {
        "max_steps": 4,
        "eval_every": 2,
        "batch_size": 4,
        "max_label_tokens": 16,
        "max_rationale_tokens": 24,
        "learning_rate": 1e-3,
        "mi": "maxpool",
    }
    return TrainOptions(save=tmp_path / "student", student=str(student), **{**defaults, **changes})


def train(chosen: TrainOptions, records: list[dict[str, Any]] | None = None) -> list[str]:
    notes: list[str] = []
    run = prepare(iter(records or toy_records()), chosen, notes.append)
    run.execute(on_note=notes.append)
    run.clean()
    return notes


def signal_at(wanted: int, number: signal.Signals) -> Callable[[int, Any], None]:
    """Send this process one signal when a step is reported for the first time."""
    pending = [wanted]

    def on_step(step: int, _logs: Any) -> None:
        if step in pending:
            pending.clear()
            os.kill(os.getpid(), number)

    return on_step


def weights(folder: Path) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = load_file(folder / "model.safetensors")
    return loaded


def is_same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def test_freed_memory_is_kept_during_all_steps_and_no_longer(
    tmp_path: Path, tiny_causal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[object] = []

    @contextmanager
    def kept() -> Iterator[None]:
        events.append("begin")
        yield
        events.append("end")

    monkeypatch.setattr(training_run, "freed_memory_kept", kept)
    run = prepare(iter(toy_records()), options(tmp_path, tiny_causal), print)
    run.execute(lambda step, _logs: events.append(step))
    assert events[0] == "begin"
    assert events[-1] == "end"
    assert {*events[1:-1]} >= {1, 2, 3, 4}


def test_plain_transformers_loads_a_saved_seq2seq_student(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    train(options(tmp_path, tiny_seq2seq))
    folder = tmp_path / "student"
    model = AutoModelForSeq2SeqLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer("predict: Ann has 3 pears.", return_tensors="pt")
    theirs = model.generate(**ids, max_new_tokens=16, do_sample=False)[0]
    ours = load_student(folder).generate_labels(["Ann has 3 pears."])[0]
    assert tokenizer.decode(theirs, skip_special_tokens=True).strip() == ours.text
    assert not [p for p in folder.rglob("*") if p.suffix in (".bin", ".pt", ".pkl")]
    assert not (tmp_path / "student.work").exists()


def test_plain_transformers_loads_a_saved_causal_student(tmp_path: Path, tiny_causal: Path) -> None:
    from transformers import AutoModelForCausalLM

    train(options(tmp_path, tiny_causal))
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "student").num_parameters() > 0
    metadata = json.loads((tmp_path / "student" / "mitools.json").read_text())
    assert metadata["kind"] == "causal"
    assert metadata["task"] == "equation"
    assert metadata["data"]["records"] == {"train": 16, "valid": 8}
    assert 0 <= metadata["results"]["valid_accuracy"] <= 1


def test_a_student_keeps_its_label_set_where_there_is_one(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    def labels_of(*choices: list[str]) -> Any:
        records = [
            {**record, "task": "labels", "label": "few", "choices": choices[place % len(choices)]}
            for place, record in enumerate(toy_records())
        ]
        chosen = options(tmp_path, tiny_seq2seq, max_steps=1, eval_every=1, overwrite=True)
        train(chosen, records)
        return load_student(tmp_path / "student").metadata["labels"]

    assert labels_of(["few", "many"]) == ["few", "many"]
    assert labels_of(["few", "many"], ["few", "none"]) is None


def test_the_same_seed_gives_the_same_student(tmp_path: Path, tiny_seq2seq: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        train(options(tmp_path / name, tiny_seq2seq))
    assert is_same(weights(tmp_path / "a" / "student"), weights(tmp_path / "b" / "student"))


def sampled_records() -> list[dict[str, Any]]:
    """Records with three answers of a teacher each, of which one misses gold."""
    records = toy_records()
    for record in records:
        label, why = record["teacher"]["label"], record["teacher"]["rationale"]
        record["teacher"]["samples"] = [
            {"label": label, "rationale": why, "agrees": True},
            {"label": label, "rationale": f"So {why}", "agrees": True},
            {"label": "( 9 - 9 )", "rationale": "9 - 9 = 0.", "agrees": False},
        ]
    return records


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mi": "infonce", "wrong_rationales": True, "rationales": "sample", "soft_labels": True},
        {"mi": "ba", "rationales": "min", "micro_batch_size": 2, "beta_warmup": 3},
        {"order": "rationale-label", "rationales": "min", "micro_batch_size": 2},
        {
            "mi": "conclude",
            "beta": 0.5,
            "mi_mask_label": 0.5,
            "mi_control": "past",
            "rationales": "min",
        },
    ],
    ids=["plain", "drawn", "chosen", "one-pass", "conclude"],
)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    tmp_path: Path, tiny_seq2seq: Path, changes: dict[str, Any]
) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    changes = {"select_by": "label-loss", "max_steps": 6, **changes}  # a pass has four
    train(options(tmp_path / "whole", tiny_seq2seq, **changes), sampled_records())

    chosen = options(tmp_path / "cut", tiny_seq2seq, **changes)
    run = prepare(iter(sampled_records()), chosen, lambda _: None)

    with pytest.raises(Interrupted, match=r"step [45] of 6 is saved.*--resume"):
        run.execute(signal_at(4, signal.SIGTERM))
    assert not chosen.save.exists()

    notes = train(replace(chosen, resume=True), sampled_records())
    assert any("resuming from" in note for note in notes)
    assert is_same(weights(tmp_path / "whole" / "student"), weights(chosen.save))


def test_a_half_written_checkpoint_is_passed_over_on_resume(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    chosen = options(tmp_path, tiny_seq2seq)
    run = prepare(iter(toy_records()), chosen, lambda _: None)
    with pytest.raises(Interrupted):
        run.execute(signal_at(2, signal.SIGINT))
    whole = max(chosen.work.glob("checkpoint-*"), key=lambda p: p.stat().st_mtime)
    broken = chosen.work / "checkpoint-3000"
    shutil.copytree(whole, broken)
    (broken / "trainer_state.json").unlink()
    notes = train(replace(chosen, resume=True))
    assert any(str(whole) in note for note in notes)


def test_resuming_with_other_records_or_options_is_refused(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    chosen = options(tmp_path, tiny_seq2seq)
    run = prepare(iter(toy_records()), chosen, lambda _: None)
    with pytest.raises(Interrupted):
        run.execute(signal_at(2, signal.SIGINT))
    with pytest.raises(TrainingError, match="records differ"):
        train(replace(chosen, resume=True), toy_records(21))
    with pytest.raises(TrainingError, match=r"beta = 0\.1, not 0\.2"):
        train(replace(chosen, resume=True, beta=0.2))


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path, tiny_seq2seq: Path) -> None:
    chosen = options(tmp_path, tiny_seq2seq, mi="infonce")
    run = prepare(iter(toy_records()), chosen, lambda _: None)
    with pytest.raises(Interrupted):
        run.execute(signal_at(2, signal.SIGINT))
    again = replace(chosen, resume=True)
    last = max(chosen.work.glob("checkpoint-*"), key=lambda p: int(p.name[11:]))

    (last / "critic.safetensors").write_bytes((last / "model.safetensors").read_bytes())
    seal(last)
    with pytest.raises(TrainingError, match="is of another model"):
        train(again)
    (chosen.work / "run.json").unlink()
    with pytest.raises(TrainingError, match="mitools train did not write"):
        train(again)
    assert (last / "model.safetensors").exists()


def test_a_taken_folder_is_refused_unless_overwritten(tmp_path: Path, tiny_seq2seq: Path) -> None:
    chosen = options(tmp_path, tiny_seq2seq)
    train(chosen)
    with pytest.raises(OutputError, match=r"already exists.*--overwrite"):
        train(chosen)
    train(replace(chosen, overwrite=True))


def test_overwriting_never_takes_a_folder_that_is_no_student(tmp_path: Path) -> None:
    chosen = options(tmp_path, "scratch:tiny", overwrite=True)
    chosen.save.mkdir()
    check_destination(chosen)  # an empty folder is nobody's
    (chosen.save / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="is not a student, so it is not replaced"):
        train(chosen)
    assert (chosen.save / "thesis.tex").exists()


def test_a_disk_that_fills_leaves_the_last_good_checkpoint(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    chosen = options(tmp_path, tiny_seq2seq)
    run = prepare(iter(toy_records()), chosen, lambda _: None)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_disk(step: int, _logs: Any) -> None:
        if step == 3:  # the checkpoint of step 2 is whole by now
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))

    try:
        with pytest.raises(OutputError, match=r"checkpoint at step 4.*--resume"):
            run.execute(fill_disk)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not chosen.save.exists()
    notes = train(replace(chosen, resume=True))
    assert any("checkpoint-2" in note for note in notes)
    assert (chosen.save / "model.safetensors").exists()


def test_label_only_training_never_looks_at_rationales(tmp_path: Path, tiny_seq2seq: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    train(options(tmp_path / "a", tiny_seq2seq, alpha=1.0, mi="none"))
    other = [{**r, "teacher": {"rationale": "something else"}} for r in toy_records()]
    train(options(tmp_path / "b", tiny_seq2seq, alpha=1.0, mi="none"), other)
    assert is_same(weights(tmp_path / "a" / "student"), weights(tmp_path / "b" / "student"))


def test_test_records_change_nothing(tmp_path: Path, tiny_seq2seq: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    test = [{**r, "id": f"x{r['id']}", "split": "test"} for r in toy_records(6)]
    train(options(tmp_path / "a", tiny_seq2seq), toy_records())
    train(options(tmp_path / "b", tiny_seq2seq), [*test, *toy_records()])
    assert is_same(weights(tmp_path / "a" / "student"), weights(tmp_path / "b" / "student"))


def test_records_without_rationale_are_counted_and_still_teach(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    records = toy_records()
    for record in records[:4]:
        record["teacher"] = {"label": None, "rationale": "  ", "error": {"kind": "empty"}}
    notes = train(options(tmp_path, tiny_seq2seq, max_steps=1), records)
    assert "3 training records without a rationale" in notes
    assert notes[0] == "16 training and 8 validation records, 0 not used"


def test_cut_texts_are_counted(tmp_path: Path, tiny_seq2seq: Path) -> None:
    notes = train(options(tmp_path, tiny_seq2seq, max_steps=1, max_input_tokens=12))
    assert "16 training records with an input that was cut" in notes


def test_inputs_that_spell_a_control_token_are_counted_and_targets_are_text(
    tmp_path: Path, tiny_causal: Path
) -> None:
    folder = shutil.copytree(tiny_causal, tmp_path / "base")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["split_special_tokens"] = False  # as most tokenizers have it
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    records = toy_records()
    for record in records[:3]:  # two of them train
        record["input"] += "</s>And then?"
    for record in records:
        record["teacher"]["rationale"] = "</s>so"
    notes: list[str] = []
    run = prepare(iter(records), options(tmp_path, folder, max_steps=1), notes.append)
    what = "with an input that spells a control token, which is read as one"
    assert f"2 training records {what}" in notes
    end = run.codec.tokenizer.eos_token_id
    targets = run.data.train["rationale_target"]
    assert all(ids.count(end) == 1 and ids[-1] == end for ids in targets)
    assert {run.codec.decode(ids) for ids in targets} == {"</s>so"}
    run.execute()
    run.clean()


def test_nothing_to_train_on_says_what_to_do(tmp_path: Path, tiny_seq2seq: Path) -> None:
    records = [{**r, "split": "test"} for r in toy_records(3)]
    with pytest.raises(DataError, match=r"3 test.*mitools split"):
        train(options(tmp_path, tiny_seq2seq), records)
    bare = [{"id": "1", "input": "x"}]
    with pytest.raises(DataError, match="mitools annotate"):
        train(options(tmp_path, tiny_seq2seq, overwrite=True), bare)


def test_rationales_alone_need_rationales(tmp_path: Path, tiny_seq2seq: Path) -> None:
    labels_alone = [{**record, "teacher": None} for record in toy_records()]
    with pytest.raises(DataError, match=r"--alpha 0 .* no training record has one; .*annotate"):
        train(options(tmp_path, tiny_seq2seq, alpha=0.0), labels_alone)


def test_what_is_not_used_is_told(tmp_path: Path, tiny_seq2seq: Path) -> None:
    notes: list[str] = []
    chosen = options(tmp_path, tiny_seq2seq, valid_limit=3, soft_labels=True, rationales="min")
    prepare(iter(toy_records()), chosen, notes.append).clean()
    assert notes[0] == "16 training and 3 validation records, 5 not used"
    assert "--soft-labels has no effect: no training record is one with the" in notes[-2]
    assert notes[-1].startswith("--rationales min has no effect: no training record is one with")


def test_a_loss_that_explodes_stops_with_step_and_records(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    from mitools.student.base.open_base import open_checkpoint

    base = open_checkpoint(str(tiny_seq2seq), "tiny")
    with torch.no_grad():
        base.model.shared.weight.fill_(float("nan"))
    broken = tmp_path / "broken"
    base.model.save_pretrained(broken)
    base.tokenizer.save_pretrained(broken)
    with pytest.raises(TrainingError, match=r"not finite at step 1 .*records .*toy-\d+.*--lr"):
        train(options(tmp_path, broken))


@pytest.mark.parametrize("select_by", ["accuracy", "label-loss", "last"])
def test_a_step_that_ruins_the_weights_stops_at_the_validation(
    tmp_path: Path, tiny_causal: Path, select_by: str
) -> None:
    chosen = options(tmp_path, tiny_causal, learning_rate=1e38, max_steps=1, select_by=select_by)
    with pytest.raises(TrainingError, match=r"validation .*not finite after step 1 .*--lr"):
        train(chosen)
    assert not (tmp_path / "student").exists()


def test_a_step_that_ruins_the_weights_is_named_with_its_own_records(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    records = [record for record in toy_records() if record["split"] == "train"]
    chosen = options(tmp_path, tiny_seq2seq, learning_rate=1e38, max_steps=3, batch_size=4)
    message = r"weights are not finite after step 1, whose loss was finite.*records toy-.*--lr"
    with pytest.raises(TrainingError, match=message) as caught:
        train(replace(chosen, micro_batch_size=2), records)
    assert len(set(re.findall(r"toy-\d+", str(caught.value)))) == 4  # both pieces of the step


def test_ruined_weights_are_not_saved_without_validation(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    records = [record for record in toy_records() if record["split"] == "train"]
    chosen = options(tmp_path, tiny_seq2seq, learning_rate=1e38, max_steps=1)
    with pytest.raises(TrainingError, match=r"weights are not finite after step 1; .*--lr"):
        train(chosen, records)
    assert not (tmp_path / "student").exists()


def test_a_model_that_cannot_write_is_refused(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=30,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
    )
    BertModel(config).save_pretrained(tmp_path / "bert")
    with pytest.raises(StudentError, match="encoder:"):
        train(options(tmp_path, tmp_path / "bert"))


def test_a_missing_student_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(StudentError, match=r"cannot open the student nowhere/at-all.*while online"):
        train(options(tmp_path, "nowhere/at-all"))


def test_batch_sizes_that_do_not_divide_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a multiple"):
        options(tmp_path, "x", batch_size=4, micro_batch_size=3).check()


def test_among_equally_accurate_models_the_one_that_explains_best_is_kept(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    chosen = options(tmp_path, tiny_seq2seq, max_steps=6, eval_every=1)
    train(chosen)
    lines = [json.loads(line) for line in (chosen.save / "log.jsonl").read_text().splitlines()]
    found = [line for line in lines if "eval_accuracy" in line]
    assert len({line["eval_accuracy"] for line in found}) == 1  # nothing is learned in six steps
    best = min(found, key=lambda line: line["eval_label_loss"] + line["eval_rationale_loss"])
    results = json.loads((chosen.save / "mitools.json").read_text())["results"]
    assert results["best_step"] == best["step"] > 1


def test_early_stopping_ends_before_the_last_step(tmp_path: Path, tiny_seq2seq: Path) -> None:
    chosen = options(
        tmp_path, tiny_seq2seq, max_steps=40, eval_every=1, patience=2, learning_rate=1e-12
    )
    started = time.monotonic()
    notes = train(chosen)
    assert time.monotonic() - started < 60
    results = json.loads((chosen.save / "mitools.json").read_text())["results"]
    assert results["steps"] < 40
    (note,) = [note for note in notes if "--patience" in note]
    assert note.startswith(f"stopped after step {results['steps']} of 40: the last 2 validations")


@pytest.mark.parametrize("mi", ["none", "paper"])
def test_every_validation_says_how_much_the_rationale_tells(
    tmp_path: Path, tiny_seq2seq: Path, mi: str
) -> None:
    chosen = options(tmp_path, tiny_seq2seq, max_steps=2, eval_every=1, mi=mi)
    train(chosen, toy_records(66))
    lines = [json.loads(line) for line in (chosen.save / "log.jsonl").read_text().splitlines()]
    found = [line for line in lines if "eval_label_loss" in line]
    assert len(found) == 2
    results = json.loads((chosen.save / "mitools.json").read_text())["results"]
    for name in ("mi_estimate", "mi_shuffled"):
        assert all(abs(line[f"eval_{name}"]) < 2 for line in found)
        assert results[f"valid_{name}"] in [line[f"eval_{name}"] for line in found]


@pytest.mark.parametrize("order", ORDERS)
def test_the_easiest_rationale_is_learned(tmp_path: Path, tiny_seq2seq: Path, order: Order) -> None:
    chosen = options(tmp_path, tiny_seq2seq, rationales="min", order=order)
    run = prepare(iter(sampled_records()), chosen, lambda _: None)
    trainer = run._make_trainer([])
    rows = [run.data.train[place] for place in range(4)]
    batch = trainer.data_collator(rows)
    candidates = {k: v for k, v in batch["candidates"].items() if k != "owners"}
    labels = {k: v.repeat_interleave(2, dim=0) for k, v in batch["label"].items()}
    losses = run.model.eval().mean_losses(candidates, labels).view(4, 2)
    trainer._choose_rationales(batch)
    assert "candidates" not in batch
    found = run.model.eval().mean_losses(batch["rationale"], batch["label"])
    assert torch.allclose(found, losses.amin(dim=1))
    assert not torch.allclose(found, losses.amax(dim=1))


def test_beta_grows_over_its_warmup(tmp_path: Path, tiny_seq2seq: Path) -> None:
    """With β at 0 in the first steps nothing differs from no term; at full weight it does."""
    folders = [tmp_path / name for name in ("none", "warm", "full")]
    for folder in folders:
        folder.mkdir()
    first = {"max_steps": 1, "eval_every": 1}
    train(options(folders[0], tiny_seq2seq, mi="none", **first))
    train(options(folders[1], tiny_seq2seq, beta=1.0, beta_warmup=10**9, **first))
    train(options(folders[2], tiny_seq2seq, beta=1.0, **first))
    none, warm, full = (weights(folder / "student") for folder in folders)
    change = {name: (warm[name] - none[name]).abs().max() for name in none}
    assert max(change.values()) < 1e-5
    assert max((full[name] - none[name]).abs().max() for name in none) > 1e-4


def run_script(script: str, folder: Path, student: Path) -> str:
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(folder), str(student)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=root,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


MEMORY = """
import resource, sys
from dataclasses import replace
from pathlib import Path
from mitools.errors import TrainingError
from mitools.train.prepare import prepare
from tests.train.runs import options
words = "a bear and a pear " * 400
records = [
    {"id": str(i), "input": words, "label": str(i), "teacher": {"rationale": words}, "task": "text"}
    for i in range(64)
]
chosen = options(Path(sys.argv[1]), Path(sys.argv[2]), batch_size=64, micro_batch_size=64)
chosen = replace(chosen, max_input_tokens=4000, max_rationale_tokens=4000)
run = prepare(iter(records), chosen, lambda _: None)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (300 << 20), resource.RLIM_INFINITY))
try:
    run.execute()
except TrainingError as exc:
    print(exc)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory by the Linux way")
def test_memory_that_runs_out_is_one_line_with_what_to_lower(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    said = run_script(MEMORY, tmp_path, tiny_seq2seq)
    assert said.startswith("not enough memory for a forward pass of 64 records; run the same")
    assert "--micro-batch-size below 64" in said
    assert "--gradient-checkpointing" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("select_by", ["accuracy", "label-loss"])
def test_where_only_rationales_are_trained_their_loss_selects_the_checkpoint(
    tmp_path: Path, tiny_seq2seq: Path, select_by: str
) -> None:
    steps = {"max_steps": 5, "eval_every": 1, "learning_rate": 0.05, "schedule": "constant"}
    chosen = options(tmp_path, tiny_seq2seq, alpha=0.0, mi="none", select_by=select_by, **steps)
    train(chosen)
    lines = [json.loads(line) for line in (chosen.save / "log.jsonl").read_text().splitlines()]
    losses = {x["step"]: x["eval_rationale_loss"] for x in lines if "eval_rationale_loss" in x}
    assert len(losses) == 5
    results = json.loads((chosen.save / "mitools.json").read_text())["results"]
    assert results["best_step"] == min(losses, key=losses.__getitem__)
    assert results["valid_rationale_loss"] == min(losses.values())


def test_without_rationales_to_validate_the_label_selects(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    records = toy_records()
    for record in records:
        if record["split"] == "valid":
            record["teacher"]["rationale"] = None
    train(options(tmp_path, tiny_seq2seq, alpha=0.0, mi="none"), records)
    results = json.loads((tmp_path / "student" / "mitools.json").read_text())["results"]
    assert results["best_step"] in (2, 4)

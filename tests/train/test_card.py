"""The model card: what it states about a student, from its metadata alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mitools.train.card import write_model_card
from mitools.train.options import TrainOptions


def card(folder: Path, trained: list[str], **changes: Any) -> str:
    metadata = {
        "base": "google/flan-t5-small",
        "task": "equation",
        "trained": trained,
        "concludes": False,
        "options": TrainOptions(Path("x"), **changes).as_json(),
        "results": {"valid_accuracy": 0.25, "steps": 7},
        "data": {"records": {"train": 1200, "valid": 30}},
    }
    write_model_card(folder, metadata, "mine")
    return (folder / "README.md").read_text(encoding="utf-8")


def test_a_card_states_base_objective_data_and_metrics(tmp_path: Path) -> None:
    text = card(tmp_path, ["label", "rationale"], mi="maxpool", alpha=0.7, seed=3)
    assert text.startswith("---\nlibrary_name: transformers\n")
    assert "\nbase_model: google/flan-t5-small\n" in text
    assert "A student that answers and explains, trained by mitools" in text
    assert "For the prompt `predict: …` it answers. For the prompt `explain: …` it expl" in text
    assert "| objective | α 0.7 · label + 0.3 · rationale + β 0.1 · MI `maxpool` |" in text
    assert "| records | 1,200 train, 30 valid |" in text
    assert "| validation | accuracy 0.25 |" in text
    assert "| seed | 3 |" in text
    assert "The task of its labels is `equation`." in text


def test_a_card_names_only_what_was_trained(tmp_path: Path) -> None:
    text = card(tmp_path, ["label"], alpha=1.0, lora=4)
    assert "explain: " not in text
    assert "| trained | label, by low-rank adapters of rank 4, merged into the weights |" in text


def test_a_card_states_the_order_of_one_pass(tmp_path: Path) -> None:
    text = card(tmp_path, ["label", "rationale"], order="rationale-label")
    prompt = "For the prompt `explain: …` it outputs the rationale, an end token, and the label."
    assert prompt in text

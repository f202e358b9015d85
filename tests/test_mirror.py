"""Tests mirror the package: a module with logic has a test file of its name, or is listed here."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE, TESTS = ROOT / "mitools", ROOT / "tests"

# Modules that are tested through their only caller, whose test file is named. What is listed here
# has no behavior that could be asked for without that caller, or has too little of its own.
TESTED_IN = {
    "annotate/batch_flights": "annotate/test_batch_rounds",
    "annotate/client/account": "annotate/client/test_transport",
    "annotate/client/batch_api": "annotate/test_batch_rounds",
    "annotate/client/endpoint": "annotate/client/test_pace",
    "annotate/client/faults": "annotate/client/test_first_faults",
    "annotate/client/hints": "annotate/client/test_first_faults",
    "annotate/client/reply_reader": "annotate/client/test_teachers",
    "annotate/client/rescue": "annotate/client/test_journal",
    "annotate/client/scoring_faults": "annotate/test_scoring",
    "annotate/client/sender": "annotate/client/test_budget",
    "annotate/client/sqlite_text": "annotate/client/test_journal",
    "annotate/client/usage": "annotate/client/test_budget",
    "annotate/conversation": "annotate/test_run",
    "annotate/failures": "annotate/test_cli",
    "annotate/interrupt": "annotate/test_cli",
    "annotate/notices": "annotate/test_annotate_records",
    "annotate/ranges": "annotate/test_options",
    "annotate/samples": "annotate/test_strategy",
    "annotate/tally": "annotate/test_run",
    "cli/_annotate_options": "annotate/test_options",
    "cli/_eval_options": "cli/test_eval",
    "cli/_explain_output": "cli/test_explain",
    "cli/_fields": "train/test_cli",
    "cli/annotate": "annotate/test_cli",
    "cli/_journal_options": "annotate/test_cli_options",
    "cli/_request_options": "annotate/test_options",
    "cli/_student_front": "cascade/test_cli",
    "cli/_unsent": "cascade/test_cli",
    "cli/recipes": "test_cli",
    "cli/train": "train/test_cli",
    "evaluate/baselines/open_baselines": "evaluate/test_side_figures",
    "asking/answering": "asking/test_respond",
    "explain/view": "explain/test_build_view",
    "export/card": "export/test_run",
    "scaffold/recipe_text": "scaffold/test_make_recipe",
    "scaffold/sample": "scaffold/test_propose",
    "scaffold/settings": "scaffold/test_make_recipe",
    "scaffold/trial": "scaffold/test_make_recipe",
    "sources/ahead": "sources/test_labelling",
    "sources/arrow": "sources/test_parquet",
    "sources/chat/exchange": "sources/chat/test_messages",
    "sources/chat/report": "sources/chat/test_rows",
    "sources/chat/requests": "sources/chat/test_rows",
    "sources/delimited": "sources/test_formats",
    "sources/field_specs": "sources/test_mapping",
    "sources/json_text": "sources/test_formats",
    "sources/options": "sources/test_load_records",
    "sources/part": "sources/test_mapping",
    "sources/readable": "test_gold",
    "sources/recipe_source": "sources/test_load_records",
    "sources/recognition": "sources/test_opening",
    "sources/templates": "sources/test_mapping",
    "student/base/open_base": "student/base/test_damaged",
    "student/boundary": "student/base/test_damaged",
    "student/folder": "student/test_local",
    "student/forward": "student/test_causal",
    "student/packing_trial": "student/test_packing",
    "student/protocol": "explain/test_run",
    "student/scoring": "student/test_local",
    "student/trial": "student/test_round_trip",
    "study/learning_curve": "study/test_report",
    "study/make_run": "study/test_conduct",
    "study/workers": "study/test_conduct",
    "train/conclusion": "train/test_conclude",
    "train/losses/critic": "train/test_two_task_model",
    "train/passes": "train/test_two_task_model",
    "train/past": "train/test_conclude",
    "train/prepare": "train/test_training_run",
    "train/sampler": "train/test_collate",
    "train/task_tensors": "train/test_two_task_model",
    "train/tokenized": "train/test_prefix",
    "train/validate": "train/test_conclude",
    "train/work_folder/destination": "train/test_training_run",
}

FLOW = (
    *(ast.If, ast.IfExp, ast.Match, ast.BoolOp, ast.For, ast.AsyncFor, ast.While, ast.Try),
    *(ast.With, ast.AsyncWith, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)


def has_logic(path: Path) -> bool:
    """Tell whether a function of a module decides, repeats or handles anything."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(
        isinstance(inner, FLOW)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    )


def own_test(name: str) -> Path:
    folder, _, module = name.rpartition("/")
    return TESTS / folder / f"test_{module.lstrip('_')}.py"


MODULES = [
    str(path.relative_to(PACKAGE).with_suffix(""))
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name not in ("__init__.py", "__main__.py") and has_logic(path)
]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_with_logic_has_its_test_file(name: str) -> None:
    assert own_test(name).is_file() or name in TESTED_IN, f"write {own_test(name)}"


@pytest.mark.parametrize("name", TESTED_IN)
def test_what_is_tested_elsewhere_is_there_and_still_needs_to_be_listed(name: str) -> None:
    assert (PACKAGE / f"{name}.py").is_file(), "it is gone"
    assert not own_test(name).is_file(), "it has a test file of its own"
    assert (TESTS / f"{TESTED_IN[name]}.py").is_file()

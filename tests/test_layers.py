"""How the package is built, read from its source: layers, owners, limits, what is public."""

from __future__ import annotations

import ast
import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeGuard

import pytest

import mitools

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mitools"
MODULES = sorted(PACKAGE.rglob("*.py"))
EVERY_MODULE = pytest.mark.parametrize(
    "path", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES]
)

# Low to high. A module imports what lies below it, and what lies in its own room.
LAYERS = (
    ("bounds", "errors", "escape", "interrupts", "packed", "terminal_lock"),
    ("expressions", "files", "progress", "recipe", "rounding", "schema"),
    ("console",),
    ("lines", "parts"),
    ("records",),
    ("reading", "spool"),
    ("diverted", "tasks"),
    ("demo", "gold", "operating", "message_thoughts", "question", "replies"),
    ("sources", "annotate", "split", "student"),
    ("asking",),
    ("train", "evaluate"),
    ("cascade", "explain", "export", "scaffold", "study"),
    ("cli",),
    ("__main__",),
)
RANKS = {room: rank for rank, layer in enumerate(LAYERS) for room in layer}

# Who may import a third-party package, and the requirement that brings it.
OWNERS: dict[str, tuple[str, str]] = {
    "accelerate": ("train", "accelerate"),
    "click": ("cli", "click"),
    "ctranslate2": ("export", "ctranslate2"),
    "datasketch": ("split", "datasketch"),
    "datasets": ("sources train", "datasets"),
    "aiohttp": ("annotate", "openai"),
    "huggingface_hub": ("export", "transformers"),
    "httpx2": ("annotate", "openai"),
    "jinja2": ("annotate sources explain", "jinja2"),
    "jsonlines": ("records", "jsonlines"),
    "markupsafe": ("explain", "jinja2"),
    "numpy": ("asking train evaluate split explain export study", "numpy"),
    "onnxruntime": ("export", "onnxruntime"),
    "openai": ("annotate", "openai"),
    "peft": ("student", "peft"),
    "pyarrow": ("sources train", "datasets"),
    "rich": ("console explain progress", "rich"),
    "sacrebleu": ("evaluate", "sacrebleu"),
    "safetensors": ("student train", "safetensors"),
    "scipy": ("evaluate study", "scipy"),
    "sklearn": ("evaluate", "scikit-learn"),
    "tokenizers": ("student", "transformers"),
    "torch": ("student train evaluate export", "torch"),
    "trackio": ("train", "trackio"),
    "transformers": ("student train", "transformers"),
    "wandb": ("train", "wandb"),
    "xllamacpp": ("export", "xllamacpp"),
    "zstandard": ("files packed", "zstandard"),
}

FORBIDDEN_CALLS = {"print", "eval", "exec", "compile", "__import__", "breakpoint", "input"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
FORBIDDEN_ATTRIBUTES = {("torch", "load"), ("os", "system"), ("os", "popen")}

# What the library promises to those who import it; all of it as ``from mitools import …``.
PUBLIC = """
__version__
Record SCHEMA SPLITS Bounds Where json_schema validate read_records write_records
TASK_NAMES Task Answer task_named task_of read_answer
load_records LoadOptions
annotate_records AnnotateOptions cascade_records CascadeOptions
Notices Price Teacher Question Reply Problem
split_records SplitOptions
Student Generation load_student save_student
train_student TrainOptions Objective MI_TERMS POOLS DIVERGENCES
evaluate_student compare_runs EvalOptions Evaluation Metric Measure Interval PROBES
OperatingPoint
explain_records write_page ExplainOptions View
export_student ExportOptions student_text
MitoolsError DataError MalformedLineError MissingFieldError InvalidFieldError EmptyInputError
SourceError OutputError RecipeError UsageError TeacherError BudgetError TeacherRefusedError
StoppedError StudentError TrainingError Interrupted MissingExtraError
"""


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(path: Path) -> str:
    """Name the top-level module or package that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def is_type_checking(node: ast.AST) -> TypeGuard[ast.If]:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Give every module that a file imports, also inside functions; and whether for types only."""
    for_types = {
        id(inner)
        for node in ast.walk(tree(path))
        if is_type_checking(node)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in for_types
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = str(node.module)
            for alias in node.names:
                inner = PACKAGE.parent / f"{module}.{alias.name}".replace(".", "/")
                is_module = inner.is_dir() or inner.with_suffix(".py").is_file()
                yield f"{module}.{alias.name}" if is_module else module, id(node) in for_types


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


# Layers


@EVERY_MODULE
def test_a_module_imports_only_what_lies_below_it(path: Path) -> None:
    room = room_of(path)
    for name, is_for_types in imports(path):
        package, *parts = name.split(".")
        if package != "mitools" or not parts or parts[0] == room:
            continue
        if room == "__init__":
            assert is_for_types, f"mitools/__init__.py imports {name} at once; it must stay fast"
            continue
        assert RANKS[parts[0]] < RANKS[room], f"{path} imports {name}"


def test_every_room_has_a_layer() -> None:
    assert {room_of(path) for path in MODULES} == {*RANKS, "__init__"}


@EVERY_MODULE
def test_the_command_line_alone_speaks_to_people(path: Path) -> None:
    if room_of(path) not in ("cli", "console"):
        assert "mitools.console" not in {name for name, _ in imports(path)}
        assert not re.search(r"\bsys\.(stdout|stderr)\b", path.read_text(encoding="utf-8"))


@EVERY_MODULE
def test_a_third_party_package_has_its_owners(path: Path) -> None:
    for name, is_for_types in imports(path):
        package = name.partition(".")[0]
        if package == "mitools" or package in sys.stdlib_module_names:
            continue
        if is_for_types and package == "_typeshed":
            continue
        assert package in OWNERS, f"{path} imports {name}, which has no owner"
        assert room_of(path) in OWNERS[package][0].split(), f"{path} imports {name}"


def test_every_package_that_is_imported_is_required() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    items = [item for name in extras if name != "dev" for item in extras[name]]
    required = {re.split(r"[^\w-]", item)[0] for item in [*project["dependencies"], *items]}
    imported = {name.partition(".")[0] for path in MODULES for name, _ in imports(path)}
    for package in imported & OWNERS.keys():
        assert OWNERS[package][1] in required


# What is forbidden


@EVERY_MODULE
def test_nothing_runs_text_or_unpacks_code_or_prints(path: Path) -> None:
    for name, _ in imports(path):
        assert name.partition(".")[0] not in FORBIDDEN_MODULES
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in FORBIDDEN_CALLS, f"{path}:{node.lineno}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found = (node.value.id, node.attr)
            assert found not in FORBIDDEN_ATTRIBUTES, f"{path}:{node.lineno}"
        if isinstance(node, ast.keyword) and node.arg in ("shell", "trust_remote_code"):
            assert ast.unparse(node.value) == "False", f"{path}:{node.value.lineno}"


# What opens a model or a data set by a library, and takes a word on code in it.
OPENERS = {
    "from_config",
    "from_encoder_decoder_pretrained",
    "from_pretrained",
    "generate",
    "load_dataset",
}
# What runs text, code or kernels of a model: a chat template, a class of its own, an agent.
RUNNERS = {
    "apply_chat_template",
    "get_class_from_dynamic_module",
    "get_kernel",
    "load_custom_generate",
    "pipeline",
    "set_attn_implementation",
}


@EVERY_MODULE
def test_every_opening_of_a_model_refuses_its_code(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        assert name not in RUNNERS, f"{path}:{node.lineno}"
        if name in OPENERS and room_of(path) != "explain":  # which generates pages
            words = [str(k.arg) for k in node.keywords if str(k.arg).endswith("trust_remote_code")]
            assert words, f"{path}:{node.lineno} does not refuse remote code"
            values = [ast.unparse(k.value) for k in node.keywords if k.arg in words]
            assert set(values) == {"False"}, f"{path}:{node.lineno}"


# Who may read stdin: the reader of records, and what stands in its place or holds it open.
READERS = {"files.py", "annotate/interrupt.py", "cli/__init__.py", "explain/pager.py"}


@EVERY_MODULE
def test_nothing_but_the_reader_of_records_reads_stdin(path: Path) -> None:
    if str(path.relative_to(PACKAGE)) not in READERS:
        assert not re.search(r"\bsys\.stdin\b", path.read_text(encoding="utf-8"))


@EVERY_MODULE
def test_a_module_is_small_and_says_what_belongs_there(path: Path) -> None:
    assert path.read_text(encoding="utf-8").count("\n") < 400
    assert path.stem not in ("utils", "util", "common", "helpers", "misc")
    assert ast.get_docstring(tree(path))


@EVERY_MODULE
def test_a_function_is_short_and_takes_few_parameters(path: Path) -> None:
    for node in functions(path):
        lines = int(node.end_lineno or 0) - node.lineno + 1
        assert lines < 60, f"{path}: {node.name} has {lines} lines"
        names = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        count = len([name for name in names if name.arg not in ("self", "cls")])
        assert count <= 6, f"{path}: {node.name} takes {count} parameters"


def test_the_body_of_a_command_only_wires() -> None:
    for path in (PACKAGE / "cli").glob("*.py"):
        for node in functions(path):
            if node.name == "command":
                first = node.body[1]  # behind the help
                lines = int(node.end_lineno or 0) - first.lineno + 1
                assert lines <= 25, f"{path} has {lines} lines"


# What is public


def dunder_all(path: Path) -> list[str] | None:
    for node in tree(path).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if ast.unparse(target) == "__all__":
                return [str(name) for name in ast.literal_eval(node.value)]
    return None


def defined_names(path: Path) -> set[str]:
    names: set[str] = set()
    body = tree(path).body
    for_types = [inner for outer in body if is_type_checking(outer) for inner in outer.body]
    for node in [*body, *for_types]:
        if isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
    return names


def sort_key(name: str) -> tuple[bool, bool, str]:
    """Constants, then types, then functions, as ruff sorts them."""
    return (not name.isupper(), not name[:1].isupper(), name)


@EVERY_MODULE
def test_a_module_lists_what_is_public_in_it(path: Path) -> None:
    listed = dunder_all(path)
    is_empty_room = path.name == "__init__.py" and len(tree(path).body) == 1
    if path.name == "__main__.py" or is_empty_room:
        assert listed is None
        return
    assert listed is not None, "it has no __all__"
    assert listed == sorted(set(listed), key=sort_key)
    assert set(listed) <= defined_names(path)


def test_the_public_names_are_what_was_promised() -> None:
    assert len(PUBLIC.split()) == len(set(PUBLIC.split()))
    assert set(mitools.__all__) == set(PUBLIC.split())


def test_a_public_name_is_imported_from_the_module_that_type_checkers_see() -> None:
    seen = {
        alias.name: node.module
        for outer in tree(PACKAGE / "__init__.py").body
        if is_type_checking(outer)
        for node in outer.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(seen) == set(mitools.__all__) - {"__version__"}
    for name, module in seen.items():
        assert getattr(mitools, name) is getattr(importlib.import_module(str(module)), name)
        assert name in vars(mitools), "it is looked up once"

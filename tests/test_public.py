"""``import mitools``: fast, and every promised name is there when it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mitools

HEAVY = ("torch", "transformers", "openai", "datasets", "numpy", "jinja2", "jsonlines", "click")


def imported_by(script: str) -> set[str]:
    """Run a script in a new interpreter, and list what it imported."""
    script += "\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_importing_the_package_imports_nothing_else() -> None:
    found = imported_by("import mitools; names = dir(mitools); assert 'read_records' in names")
    assert {name for name in found if name.startswith("mitools.")} == set()
    assert not found & {*HEAVY, "importlib.metadata"}


def test_a_name_imports_what_it_needs_and_no_more() -> None:
    found = imported_by("from mitools import Teacher, read_answer, read_records")
    assert "mitools.records" in found
    assert not found & {"torch", "transformers", "openai", "datasets", "numpy"}


def test_every_promised_name_is_listed_and_is_there() -> None:
    assert set(mitools.__all__) <= set(dir(mitools))
    for name in mitools.__all__:
        assert getattr(mitools, name) is not None


def test_a_name_that_was_not_promised_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'mitools' has no attribute 'load_model'"):
        _ = mitools.load_model


def test_star_import_gives_the_promised_names() -> None:
    names: dict[str, object] = {}
    exec("from mitools import *", names)
    assert set(mitools.__all__) <= names.keys()

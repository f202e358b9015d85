# Everything runs in a virtual environment of its own; VENV=… names another one.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: install quickstart test test-all lint format clean

install: $(READY)

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev,gguf]'
	@touch $@

quickstart: $(READY)
	recipes/quickstart/run.sh

test: $(READY)
	$(BIN)/pytest

test-all: $(READY)
	$(BIN)/pytest -m 'not network'

lint: $(READY)
	$(BIN)/ruff format --check mitools tests
	$(BIN)/ruff check mitools tests
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff format mitools tests
	$(BIN)/ruff check --fix mitools tests

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis runs/quickstart runs/quickstart.work

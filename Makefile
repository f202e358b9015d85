# Everything runs in a virtual environment of its own; VENV=… names another one, PYTHON=… the Python
# that makes it. "make install" installs what running needs, "make develop" also what tests and
# checks need. INSTALLER=uv installs with uv; by default pip does.
VENV ?= .venv
PYTHON ?= python3
INSTALLER ?= pip
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEVELOP := $(VENV)/.develop
PARTLY := $(VENV)/.partly
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: install develop quickstart test test-all lint format clean

install: $(READY)
	@echo 'mitools is installed in $(VENV). Next:'
	@echo '    . $(BIN)/activate'
	@echo '    mitools --help'
	@echo '    make quickstart        # needs no key, no network and no download; about 3 minutes'

develop: $(DEVELOP)

# A Python that can make the environment, in one line if there is none.
CHECK_PYTHON = found=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2], \
	"new" if sys.version_info >= (3, 11) else "old")' 2> /dev/null) || found='none -'; \
	case $$found in \
	*new) ;; \
	none*) echo 'make: $(PYTHON) was not found; install Python 3.11 or newer, or name it: make install PYTHON=python3.12' >&2; exit 1 ;; \
	*) echo "make: $(PYTHON) is Python $${found% *}, and mitools needs 3.11 or newer; name another one: make install PYTHON=python3.12" >&2; exit 1 ;; \
	esac

# Where no terminal shows the installer's own progress, a line every 20 seconds says that it works.
CLOCK = start=$$(date +%s); clock=; \
	if [ ! -t 1 ]; then \
	(while sleep 20 > /dev/null 2>&1; do echo "… still installing, $$(( $$(date +%s) - start )) s"; done) & clock=$$!; \
	fi; \
	trap '[ -z "$$clock" ] || kill $$clock 2> /dev/null' EXIT; \
	trap 'exit 130' INT TERM

# What an interrupted installation left may be half a package: then all is written again.
AGAIN_pip = $$([ ! -e $(PARTLY) ] || echo --ignore-installed)
INSTALL_pip = $(BIN)/python -m pip install --disable-pip-version-check --prefer-binary
# Older versions show nothing for a minute or more while they unpack.
PREPARE_pip = $(BIN)/python -m pip install --disable-pip-version-check --quiet --upgrade 'pip>=25.1' \
	|| echo 'pip was not upgraded; it may show no progress for some minutes'
PREPARE_uv = uv --version
INSTALL_uv = uv pip install --python $(BIN)/python --compile-bytecode

# $(call install_extras,EXTRAS)
define install_extras
	@$(CLOCK); again="$(AGAIN_$(INSTALLER))"; touch $(PARTLY); \
	$(INSTALL_$(INSTALLER)) $$again --editable '.[$(1)]' && rm $(PARTLY) && \
	echo "Installed in $$(( $$(date +%s) - start )) s."
	@touch $@
endef

$(READY): pyproject.toml
	@$(CHECK_PYTHON)
	@echo 'Installing mitools and what it needs (PyTorch, transformers …) into $(VENV): 1 to 2 GB, some minutes.'
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@$(PREPARE_$(INSTALLER))
	$(call install_extras,gguf)

$(DEVELOP): $(READY)
	@echo 'Installing what tests and checks need into $(VENV).'
	$(call install_extras,gguf$(,)dev)

, := ,

quickstart: $(READY)
	recipes/quickstart/run.sh

test: $(DEVELOP)
	$(BIN)/pytest

test-all: $(DEVELOP)
	$(BIN)/pytest -m 'not network'

lint: $(DEVELOP)
	$(BIN)/ruff format --check mitools tests
	$(BIN)/ruff check mitools tests
	$(BIN)/mypy

format: $(DEVELOP)
	$(BIN)/ruff format mitools tests
	$(BIN)/ruff check --fix mitools tests

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		runs/quickstart runs/quickstart.work runs/quickstart.json runs/quickstart.jsonl

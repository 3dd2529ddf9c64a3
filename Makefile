# Every target sets up what it needs: a virtual environment in .venv with the library built in place.
# Later runs reinstall only when pyproject.toml, setup.py or a file in pyx/ has changed.
PYTHON ?= python3
IMAGE ?=
TESTS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq
BUILD := $(PIP) --no-build-isolation
SOURCES := setup.py pyproject.toml $(wildcard pyx/*.pyx pyx/*.pxd pyx/*.c pyx/*.h)

C_FILES := $(wildcard pyx/*.c pyx/*.h cuda/*.cu cuda/*.cuh)
STUBBED := $(patsubst implicitpad/%.pyi,implicitpad.%,$(wildcard implicitpad/*.pyi))

.PHONY: demo test lint format bench clean

demo: $(VENV)/built
	@$(BIN)/implicitpad demo $(IMAGE)

test: $(VENV)/built
	@$(BIN)/python -m pytest $(TESTS)

lint format: export PATH := $(CURDIR)/$(BIN):$(PATH) # cython-lint calls pycodestyle

lint: $(VENV)/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/cython-lint pyx
	$(BIN)/clang-format --dry-run --Werror $(C_FILES)
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest $(STUBBED) --mypy-config-file pyproject.toml \
	  --allowlist .ci/stubtest-allowlist.txt --ignore-unused-allowlist

format: $(VENV)/dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/clang-format -i $(C_FILES)

bench: $(VENV)/built
	@for script in benchmarks/[a-z]*.py; do $(BIN)/python $$script; done

clean:
	rm -rf $(VENV) build dist *.egg-info implicitpad/*.so implicitpad/*.pyd

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "implicitpad needs Python 3.10 or newer: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "This Python cannot make virtual environments: install its venv package (on Debian: python3-venv)."; exit 1; }
	@echo "Creating $(VENV) (once; with the build about three minutes)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/tools: | $(BIN)/python
	@$(PIP) --upgrade pip setuptools cython
	@touch $@

$(VENV)/built: $(SOURCES) | $(VENV)/tools
	@echo "Building implicitpad and installing what it needs"
	@$(BUILD) --editable '.[test,cuda-test]'
	@touch $@

$(VENV)/dev: $(VENV)/built
	@echo "Installing the linters"
	@$(PIP) --group dev
	@touch $@

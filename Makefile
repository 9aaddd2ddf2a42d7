# The two commands of the README: `make run` and `make test`. Both set up .venv when needed.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test lint types imports unit bench clean

run: $(VENV)/.run
	$(BIN)/musetalk serve

test: lint types imports unit

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip

$(VENV)/.run: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -e '.[voice]'
	touch $@

# constraints.txt holds the torch that the tests run with; where PyPI's is a build of gigabytes,
# PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu makes it the small one
$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -e '.[test,musetalk]' -c constraints.txt
	touch $@ $(VENV)/.run

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

imports: $(VENV)/.test
	$(BIN)/lint-imports

unit: $(VENV)/.test
	$(BIN)/pytest --all-packages
	TRITON_INTERPRET=1 $(BIN)/pytest --all-packages tests/models/musetalk/test_triton_steps.py

bench: $(VENV)/.test
	$(BIN)/python -m tests.benchmark

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The two commands of the README: `make run` and `make test`. Both set up .venv when needed.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test lint types imports unit browser chromium bench soak soak-page soak-avatars clean

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

# two at a time: one keeps the clock of the running service, the other computes
unit: $(VENV)/.test chromium
	$(BIN)/pytest --all-packages -n 2 --dist loadgroup
	TRITON_INTERPRET=1 $(BIN)/pytest --all-packages tests/models/musetalk/test_triton_steps.py

browser: $(VENV)/.test chromium
	$(BIN)/pytest --all-packages -m browser

# the tests of the page drive Chromium with H.264, which Playwright's own build is without
chromium:
	@[ -n "$$CHROMIUM" ] || command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null || \
	{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
	{ echo "The tests of the page need Chromium or Chrome: install it, or name the program in CHROMIUM" >&2; exit 1; }

bench: $(VENV)/.test
	$(BIN)/python -m tests.benchmark

# an hour or more: the page for half of it, then services and preparations killed at a hundred moments, and damaged files
soak: soak-page soak-avatars

soak-page: $(VENV)/.test chromium
	$(BIN)/python -m tests.soak

soak-avatars: $(VENV)/.test
	$(BIN)/python -m tests.soak.killed_preparation
	$(BIN)/python -m tests.soak.damaged_recordings

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

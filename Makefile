# One front door. `make` runs what CI runs, and the linters and the type checker before it.
PYTHON   ?= python3
VENV     ?= .venv
BIN      := $(VENV)/bin
PORT     ?= 3000
ARTIFACT ?= $(or $(SHAZAM_ARTIFACT),artifacts/starter)

export BENTOML_DO_NOT_TRACK = True

.PHONY: all install serve test lint types format lock clean

all: lint types test

install: $(VENV)/.installed

$(VENV)/.installed: requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@touch $@

serve: install
	SHAZAM_ARTIFACT='$(ARTIFACT)' HF_HUB_OFFLINE=1 $(BIN)/bentoml serve --port $(PORT)

test: install
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: install
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache

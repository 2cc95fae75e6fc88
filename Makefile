# Every target does what it needs first; in a fresh clone each works as the only command given.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
NODE   := tests/acceptance/clients/node_modules/.ready

.PHONY: help setup demo test lint docs bench machine clean

help:
	@echo "make setup   the environment, in $(VENV)"
	@echo "make demo    gateway, vendor simulators and a shopper's story; no account needed"
	@echo "make test    every test; as root also installs the browser and the servers they use"
	@echo "make lint    what must hold before a commit"
	@echo "make docs    draw the reference tables in docs/ from the code"
	@echo "make bench   speed and memory, as ratios measured in one run"

setup: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Crossdock needs Python 3.11 or newer: make setup PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python cannot make a virtual environment here."; \
	  echo "On Debian and Ubuntu: apt-get install python3-venv, then make setup again."; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: setup
	$(BIN)/crossdock demo

# What the acceptance tests need beside Python: a browser and a NATS server. Root gets them from Debian;
# anybody else is told by the test that misses one.
machine:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  missing=""; \
	  command -v chromium >/dev/null || missing="$$missing chromium"; \
	  command -v nats-server >/dev/null || missing="$$missing nats-server"; \
	  if [ -n "$$missing" ]; then \
	    echo "Installing:$$missing"; \
	    apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	  fi; \
	fi

$(NODE): $(READY) tests/acceptance/clients/package.json tests/acceptance/clients/package-lock.json
	@PYTHON=$(BIN)/python bash tests/acceptance/clients/install.sh
	@touch $@

test: setup machine $(NODE)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell

# The tables in docs/ that are drawn from the code; a test fails while they are old.
docs: setup
	$(BIN)/python -m tests.house.reference

bench: setup
	$(BIN)/python bench/mapping.py
	$(BIN)/python bench/journal.py
	$(BIN)/python bench/accept.py
	$(BIN)/python bench/whole_way.py

clean:
	rm -rf $(VENV) build dist tests/acceptance/clients/node_modules .*_cache

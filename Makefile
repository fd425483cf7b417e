# keepalived-py on Debian 12, as root, from a fresh clone: `make demo` and `make test` do all the set-up they need.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
# Debian's own interpreter where it is new enough: the guest sees it too, and nothing but Debian can change it.
PYTHON ?= $(shell /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo /usr/bin/python3 || echo python3)
# The environment is made anew when what it is made from changes; the mark lies in it and goes with it.
STAMP := $(VENV)/.made-from-$(shell cat setup.cfg pyproject.toml | sha256sum | cut -c1-16)
# The guest in which the demo runs may take this long altogether.
DEMO_SECONDS ?= 540

.PHONY: help setup packages demo test test-fast test-net test-parity test-guest test-full docs lint clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; do printf '  make %-12s %s\n' "$$target" "$$text"; done

setup: packages $(STAMP) ## install what is missing: Debian packages, then the Python environment in .venv

packages:
	@.ci/packages

$(STAMP): setup.cfg pyproject.toml
	@echo "== Python environment in $(VENV)"
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --quiet --disable-pip-version-check --no-input --editable '.[dev]'
	rm -f $(VENV)/.made-from-*
	touch $@

demo: setup ## the shop: HTTP over real IPVS, a server dies and returns, a reload (in the guest)
	@$(PY) -m tests.helpers.guest run --limit $(DEMO_SECONDS) -- $(PY) -m examples.lab.demo

test: setup lint ## everything but the tier "full": fast, net, parity, guest
	$(PY) -m pytest -m 'not full'

test-fast: $(STAMP) ## engines, parser, codecs: no root, no network, seconds
	$(PY) -m pytest -m 'not net and not parity and not guest and not full'

test-net: setup ## network namespaces on this kernel
	$(PY) -m pytest -m 'net and not guest and not full'

test-parity: setup ## the same input to keepalived and to us
	$(PY) -m pytest -m 'parity and not guest and not full'

test-guest: setup ## inside a virtual machine with Debian's kernel and its ip_vs
	$(PY) -m pytest -m 'guest and not full'

test-full: setup lint ## all tiers, the slow tests too
	$(PY) -m pytest

docs: $(STAMP) ## write the pages that are generated from the declarations
	$(PY) -m keepalived_py.parser.manual

lint: $(STAMP) ## ruff and mypy --strict
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

clean: ## remove what was made here, not the Debian packages
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Crosstable. `make run` and `make test` need Python 3.11 or later, and nothing else installed by hand.

VENV := .venv/bin/python
# The first Python that is new enough and can make virtual environments; 3.11 is the one that CI uses.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test check bench doctor format backup restore clean python

help: ## this list
	@echo "Targets (options in ARGS, e.g. make run ARGS='--port 9000', make test ARGS='evaluation -k swiss'):"
	@awk -F ': .*## ' '/^[a-z]+:.*## / { printf "  %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: python ## start everything on this machine: database, broker, web, workers; Ctrl-C stops it
	@$(PYTHON) deploy/local/environment.py local
	@exec $(VENV) -m deploy.local $(ARGS)

test: python ## run all tests
	@$(PYTHON) deploy/local/environment.py local worker quant test deploy sentry
	@exec $(VENV) -m pytest -n auto $(ARGS)

check: python ## lint, format, import rules, migrations, types, files of deploy/
	@$(PYTHON) deploy/local/environment.py local worker quant test deploy sentry
	@exec $(VENV) -m deploy.local check

bench: python ## measure speed (never part of the tests)
	@$(PYTHON) deploy/local/environment.py local worker quant test
	@exec $(VENV) -m bench $(ARGS)

doctor: python ## say what is missing or wrong on this machine, and the remedy
	@if [ -x $(VENV) ]; then exec $(VENV) -m deploy.local doctor $(ARGS); else exec $(PYTHON) -m deploy.local doctor $(ARGS); fi

format: python ## format the code and apply safe fixes
	@$(PYTHON) deploy/local/environment.py local worker quant test
	@$(VENV) -m ruff check --fix-only --quiet . && $(VENV) -m ruff format .

backup: ## write database, uploads and keys into FILE=crosstable-<time>.tar.gz
	@exec $(VENV) -m deploy.local backup $(FILE) $(ARGS)

restore: ## replace everything by the backup FILE=...
	@test -n "$(FILE)" || { echo "Say which one: make restore FILE=crosstable-....tar.gz" >&2; exit 2; }
	@exec $(VENV) -m deploy.local restore $(FILE) $(ARGS)

clean: ## remove .venv and caches; the data in var stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or later with the module venv was found. Install one (Debian, Ubuntu: apt install python3 python3-venv) or set PYTHON=/path/to/python." >&2; exit 1; }

# Every target does its own set-up: a Python ≥ 3.11, make and git are all that a fresh machine needs.

VENV := .venv
# Tried in this order for making the environment.
PYTHONS := python3.14 python3.13 python3.12 python3.11 python3
PYTHON := $(VENV)/bin/python
ARGS :=
INSTALL := $(PYTHON) -m pip install --quiet --disable-pip-version-check

TESTS := $(wildcard tests/unit tests/golden tests/contract tests/property tests/docs tests/e2e tests/simulation)
# The tests that `tests/sampling.py` serves.
KILLS := $(shell grep -rl --include='test_*.py' 'tests.sampling\|tests.flips' tests)
# Who is done takes over half of what another has before it; otherwise one of them may end minutes after the other. Of tests that
# wait for processes and answers, three keep two cores busy; those that take seconds of the clock as they are have a core each.
STEAL := --dist worksteal
SOURCES := engine tools tests $(wildcard examples benchmarks)

# pytest keeps the tests that it rewrote; without that, every process of every run takes twenty seconds to do it again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-kills test-peers simulate check bench docs wheel lock clean
.PHONY: check-style check-format check-types check-layers check-workflows check-docs
.DELETE_ON_ERROR:

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.base ## Two tenants, a legacy import and an API sync, from manifests to a verified audit log
	$(PYTHON) examples/demo/run.py $(ARGS)

test: $(VENV)/.dev ## Run all tests but the slow ones (TESTS=folder and ARGS="-k words" narrow it)
	$(PYTHON) -m pytest -n 3 $(STEAL) -m "not slow" $(TESTS) $(ARGS)

test-slow: $(VENV)/.dev ## Run the tests that take long, and properties with all their examples
	SYNCLINE_TEST_EXAMPLES=1 $(PYTHON) -m pytest -n 2 $(STEAL) -m "slow or hypothesis" $(TESTS) $(ARGS)

test-kills: $(VENV)/.dev ## Kill tests at every point, where `make test-slow` takes a sample of them
	SYNCLINE_TEST_ALL=1 $(PYTHON) -m pytest -n 2 $(STEAL) $(KILLS) $(ARGS)

test-peers: $(VENV)/.dev ## Install and start systems that others wrote, and test against them
	$(PYTHON) -m tests.peers
	$(PYTHON) -m pytest -n 2 --dist loadfile tests/peers $(ARGS)

simulate: $(VENV)/.dev ## Run 500 simulated worlds with faults in them, 300 steps each (ARGS="--seeds 17 --trace" for one)
	$(PYTHON) -m tests.simulation --seeds 0:500 --steps 300 --jobs 2 $(ARGS)

check: check-style check-format check-types check-layers check-workflows check-docs ## Lint, formats, types, layers, workflows and generated docs (make -k check shows all findings)

bench: $(VENV)/.dev ## Measure the workloads of benchmarks/
	bash benchmarks/run.sh $(ARGS)

docs: $(VENV)/.dev ## Write docs/reference from the code
	$(PYTHON) -m tools.docs

wheel: $(VENV)/.dev ## Build the wheel and try it in an empty environment
	bash tools/try-wheel.sh

lock: $(VENV)/.dev ## Renew the pinned, hash-checked requirements (ARGS="--upgrade" for newer versions)
	bash tools/lock.sh $(ARGS)

clean: ## Remove build output and caches (the environment stays; delete .venv for a new one)
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find engine tools tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

check-style: $(VENV)/.dev
	$(VENV)/bin/ruff check $(SOURCES)

check-format: $(VENV)/.dev
	$(VENV)/bin/ruff format --check $(SOURCES)

check-types: $(VENV)/.dev
	$(PYTHON) -m mypy

check-layers: $(VENV)/.dev
	$(VENV)/bin/lint-imports

check-workflows: $(VENV)/.dev
	$(VENV)/bin/zizmor --offline --quiet --strict-collection .github/workflows
	@if command -v actionlint; then actionlint; else echo "actionlint is not on PATH: left to CI and tests/peers"; fi

check-docs: $(VENV)/.dev
	$(PYTHON) -m tools.docs --check

# The environment. `.base` runs the program; `.dev` adds what tests and checks need. pip is not allowed to choose a
# version or to trust a file without its hash, and the project itself is built with what is already there.

$(PYTHON):
	bash tools/make-venv.sh $(VENV) $(PYTHONS)

$(VENV)/.base: requirements/base.txt pyproject.toml | $(PYTHON)
	$(INSTALL) --require-hashes -r requirements/base.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(PYTHON)
	$(INSTALL) --require-hashes -r requirements/dev.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $(VENV)/.base $@

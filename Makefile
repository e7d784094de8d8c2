# Two commands set everything up: `make simulate` runs the main job, `make test` passes the tests.
# Needed: Debian (or another Linux on x86-64 or aarch64), Python 3.11 to 3.13, git, make.

SHELL := /bin/sh
UV_VERSION := 0.13.8
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { command -v $$p; break; }; done)
TEST_PROCESSES ?= 3
UV = .tools/bin/uv
HANDFED = .venv/bin/handfed

export UV_PYTHON_DOWNLOADS := never
export UV_CACHE_DIR ?= $(CURDIR)/.cache/uv
export UV_LINK_MODE ?= copy

.PHONY: help setup simulate test check lint types imports bench lock clean

help: ## What can be made.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

setup: .venv/.complete ## Set up .venv, with every part of Handfed in it.

simulate: .venv/.complete ## The main job: a federated simulation on real handwriting, to a published INT8 model.
	$(HANDFED) simulate

test: .venv/.complete ## The tests, in several processes; those of real processes, which mostly wait, come first.
	.venv/bin/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

check: lint types imports test ## What CI runs: ruff, mypy, import contracts, tests.

lint: .venv/.complete
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types: .venv/.complete
	.venv/bin/mypy

imports: .venv/.complete
	.venv/bin/lint-imports

bench: .venv/.complete ## The figures that the README quotes.
	.venv/bin/python -m handfed.simulations.benchmarks

lock: $(UV) ## Pin anew every library, for all supported Pythons.
	$(UV) pip compile --quiet --universal --python-version 3.11 --no-emit-package handfed-shared --no-emit-package handfed-clients \
		--no-emit-package handfed-server --no-emit-package handfed-simulations --no-emit-package handfed-dashboards \
		--no-emit-index-url --no-emit-find-links --group dev --custom-compile-command "make lock" pyproject.toml --output-file constraints.txt --upgrade

clean: ## Remove what the set-up made; what was trained and published stays.
	rm -rf .venv .tools .cache

# The environment is complete when this file is newer than everything it is made from.
.venv/.complete: $(UV) pyproject.toml constraints.txt $(wildcard */pyproject.toml)
	$(UV) venv --quiet --allow-existing --python "$(PYTHON)" .venv
	$(UV) pip install --python .venv/bin/python --compile-bytecode --constraint constraints.txt --requirements pyproject.toml --group dev
	-.venv/bin/python -m handfed.dashboards.vendoring
	@touch $@

# uv comes into a folder of the checkout; pip's --target also works where Debian forbids a plain pip install.
$(UV):
	@test -n "$(PYTHON)" || { echo "Handfed needs Python 3.11, 3.12 or 3.13, and found none: install it, for example with: apt-get install python3" >&2; exit 2; }
	@command -v git >/dev/null 2>&1 || { echo "Handfed needs git: install it with: apt-get install git" >&2; exit 2; }
	@mkdir -p .tools
	@"$(PYTHON)" -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m ensurepip --version >/dev/null 2>&1 \
		|| { echo "Handfed needs pip, and $(PYTHON) has none: install it with: apt-get install python3-pip" >&2; exit 2; }
	@"$(PYTHON)" -m pip --version >/dev/null 2>&1 \
		&& "$(PYTHON)" -m pip install --quiet --disable-pip-version-check --upgrade --target .tools uv==$(UV_VERSION) \
		|| { "$(PYTHON)" -m venv .tools && .tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); }
	@test -x $@ || { echo "uv could not be installed: is the package index reachable?" >&2; exit 2; }

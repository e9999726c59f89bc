# `make demo` and `make test` set up all they need in .venv; nothing else has to be installed but Python 3.11.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
# What a user exports for a cluster, or for debugging Python, must not reach the tests.
CLEAN := env $(foreach name,$(shell env | sed -n 's/^\(YT_[A-Za-z0-9_]*\|YTBUILD_[A-Za-z0-9_]*\)=.*/\1/p'),-u $(name)) \
	-u PYTHONPATH -u PYTHONHOME -u PYTHONDONTWRITEBYTECODE -u PYTHONUNBUFFERED

.PHONY: demo test lint bench clean

demo: $(VENV)/.ready
	@cd examples/stdlib_imports && $(CLEAN) "$(CURDIR)/$(BIN)/ytbuild" run
	@$(CLEAN) $(BIN)/python examples/stdlib_imports/show_result.py

test: $(VENV)/.ready-test
	@$(CLEAN) $(BIN)/python -m pytest -q -n 2 --dist loadfile $(PYTEST_ARGS)

lint: $(VENV)/.ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.ready-bench
	@$(CLEAN) $(BIN)/python -m tests.benchmarks

clean:
	rm -rf $(VENV) examples/*/.build examples/*/.dev

$(VENV)/.created:
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer was found; install one, or run make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: $(PYTHON) cannot make virtual environments: its venv module is missing (on Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.ready: $(VENV)/.created pyproject.toml
	@echo "installing ytbuild"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.ready-test: $(VENV)/.ready
	@echo "installing what the tests need"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

$(VENV)/.ready-bench: $(VENV)/.ready-test
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,bench]'
	@touch $@

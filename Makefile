# `make demo` and `make test` set up all they need in .venv; nothing else has to be installed but Python 3.11.
# `make test PYTHON=python3.13` does so in .venv-3.13: every other version has an environment of its own.

NAMES := python3.11 python3.12 python3.13 python3.14
# What `make test-all` goes through, as far as it starts: names on PATH, or paths.
PYTHONS ?= $(NAMES)
# Prints `3.11=NAME` for each that starts, oldest first, one of a version. A shim that leads nowhere does not start.
starting = $(shell for name in $(1); do \
	$$name -c 'import sys; sys.version_info < (3, 11) or print("%d.%d=%s" % (*sys.version_info[:2], sys.argv[1]))' $$name \
	2>/dev/null; done | sort -t= -k1,1V -u)
version = $(firstword $(subst =, ,$(1)))
interpreter = $(lastword $(subst =, ,$(1)))

DEFAULT := $(firstword $(call starting,$(NAMES) python3))
PYTHON ?= $(call interpreter,$(DEFAULT))
GIVEN := $(if $(filter $(PYTHON),$(call interpreter,$(DEFAULT))),$(DEFAULT),$(call starting,$(PYTHON)))
ifneq ($(PYTHON),)
ifeq ($(GIVEN),)
$(error $(PYTHON) does not start, or is older than Python 3.11)
endif
endif
VENV := .venv$(if $(DEFAULT),$(filter-out -$(call version,$(DEFAULT)),$(addprefix -,$(call version,$(GIVEN)))))
BIN := $(VENV)/bin
# What a user exports for a cluster, or for debugging Python, must not reach the tests.
CLEAN := env $(foreach name,$(shell env | sed -n 's/^\(YT_[A-Za-z0-9_]*\|YTBUILD_[A-Za-z0-9_]*\)=.*/\1/p'),-u $(name)) \
	-u PYTHONPATH -u PYTHONHOME -u PYTHONDONTWRITEBYTECODE -u PYTHONUNBUFFERED
PYTEST = $(CLEAN) $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-cluster quick test-all newest lint bench bench-history clean

demo: $(VENV)/.ready
	@cd examples/stdlib_imports && $(CLEAN) "$(CURDIR)/$(BIN)/ytbuild" run
	@$(CLEAN) $(BIN)/python examples/stdlib_imports/show_result.py

test: $(VENV)/.ready-test
	@$(PYTEST) $(PYTEST_ARGS)

# The tests that a real cluster can run, on the one that these name; everything there happens in new folders below FOLDER.
CLUSTER_VARIABLES := YTBUILD_TEST_PROXY YTBUILD_TEST_TOKEN YTBUILD_TEST_FOLDER
UNSET = $(strip $(foreach name,$(CLUSTER_VARIABLES),$(if $($(name)),,$(name))))

test-cluster: $(if $(UNSET),,$(VENV)/.ready-test)
	@test -z "$(UNSET)" || { echo "error: not set: $(UNSET)" >&2; exit 2; }
	@$(CLEAN) $(foreach name,$(CLUSTER_VARIABLES),$(name)="$$$(name)") $(BIN)/python -m pytest -q -m cluster $(PYTEST_ARGS)

# One test or more of every room, in less than a minute.
quick: $(VENV)/.ready-test
	@$(PYTEST) -m quick $(PYTEST_ARGS)

test-all:
	@echo "these start: $(or $(call starting,$(PYTHONS)),none) (of $(PYTHONS))"
	@failed=; for each in $(call starting,$(PYTHONS)); do \
		echo "testing with Python $${each%%=*}: $${each#*=}"; \
		$(MAKE) --no-print-directory test PYTHON=$${each#*=} || failed="$$failed $$each"; \
	done; test -z "$$failed" || { echo "error: the tests failed with$$failed" >&2; exit 1; }

# The newest of PYTHONS that starts and is not the default, or nothing.
newest:
	@echo $(call interpreter,$(lastword $(filter-out $(call version,$(DEFAULT))=%,$(call starting,$(PYTHONS)))))

lint: $(VENV)/.ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.ready-bench
	@$(CLEAN) $(BIN)/python -m tests.benchmarks $(BENCH_ARGS)

bench-history: $(VENV)/.ready-bench
	@$(BIN)/python -m tests.benchmarks --history $(BENCH_ARGS)

clean:
	rm -rf .venv .venv-3.* examples/*/.build examples/*/.dev

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

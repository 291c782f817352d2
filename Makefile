# All targets work in a fresh checkout; `make help` lists them.

VENV ?= .venv
PYTHON ?=
DIR ?=
PATTERN ?=
ENVS ?=
STORM ?= alone
ARGS ?=

SHELL := bash
installed := $(VENV)/.installed
export VENV DIR PATTERN

.DEFAULT_GOAL := help
.PHONY: help setup lock demo demo-hosts check test test-pure sanitize test-debug test-free-threaded wheels test-newest test-oldest test-all docs bench soak flood strangers fuzz clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(installed)  ## make .venv with everything that working on corps needs

# PYTHON chooses the interpreter; without it the lowest suitable one is taken. A venv that still works is kept.
# Every version and hash comes from requirements/dev.txt, and so does what builds corps itself: pip alone is needed.
$(installed): pyproject.toml requirements/dev.txt scripts/build_core.py $(wildcard corps/_core/*.p*)
	@if ! $(VENV)/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    python="$(PYTHON)"; \
	    [ -n "$$python" ] || python="$$(scripts/pythons | awk 'NR == 1 {print $$2}')"; \
	    [ -n "$$python" ] || { echo "make: found no CPython >= 3.11 with venv; install one or set PYTHON=" >&2; exit 1; }; \
	    echo "making $(VENV) with $$python"; \
	    "$$python" -m venv --clear $(VENV); \
	fi
	$(VENV)/bin/python -m pip install --quiet --require-hashes --requirement requirements/dev.txt
	$(VENV)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

lock: setup  ## choose the newest versions of everything again, for requirements/*.txt
	@VENV=$(VENV) scripts/lock

# Without DIR the standard library of the interpreter is searched; without ENVS there is one process per core.
demo: setup  ## search files over several processes: make demo [DIR=~/src] [PATTERN='def \w+'] [ENVS=4]
	@$(VENV)/bin/corps run $(if $(ENVS),--envs $(ENVS)) examples/grep.py -- "$$DIR" "$$PATTERN"

demo-hosts: setup  ## the same over three hosts that ssh reaches, in a network of this machine; as root
	@$(VENV)/bin/python examples/hosts/demo.py "$$DIR" "$$PATTERN"

# A test that makes up its own examples, by hundreds, is left to `make test`.
check: setup  ## lint, types, house rules and the quick unit tests, for work in between: make check [ARGS=-x]
	@scripts/check lint types types_of_users
	@scripts/test -m 'not hypothesis' $(ARGS) tests/unit

test: setup  ## lint, types, documentation, then the whole test suite: make test [ARGS=--durations=25]
	@scripts/check
	@scripts/test $(ARGS)

test-pure: setup  ## the test suite on the Python code alone, without the native core: [ARGS=tests/unit]
	@CORPS_PURE=1 scripts/test $(ARGS)

sanitize: setup  ## the tests of the native core under the sanitizers of gcc: make sanitize [ARGS=tests/unit/test_core.py]
	@scripts/sanitize $(ARGS)

test-debug: setup  ## the tests of the engine with the checks of CPython's own allocator: [ARGS=tests/unit/test_core.py]
	@PYTHONMALLOC=debug scripts/test --timeout 600 $(or $(ARGS),tests/unit/test_core.py tests/unit/test_wire_core.py \
	    tests/unit/test_links_core.py tests/unit/runtime tests/unit/peers tests/integration/test_core_races.py)

# It builds that interpreter first, for ten minutes and more: DIR is where it is kept.
test-free-threaded: setup  ## the tests of the engine on CPython 3.13 without its lock: [DIR=~/python3.13t] [ARGS=tests/unit]
	@FREE_THREADED="$$DIR" scripts/test-free-threaded $(ARGS)

wheels: setup  ## build both wheels into dist/: with the native core for this interpreter and machine, and a pure one
	rm -rf dist
	$(VENV)/bin/uv build --quiet --no-config --wheel --python $(VENV)/bin/python --out-dir dist
	CORPS_PURE=1 $(VENV)/bin/uv build --quiet --no-config --wheel --python $(VENV)/bin/python --out-dir dist
	@ls dist

test-newest: setup  ## the test suite against the newest versions of what corps declares: [ARGS=tests/unit]
	@scripts/test-declared newest $(ARGS)

test-oldest: setup  ## the test suite against the lowest versions that corps declares: [ARGS=tests/unit]
	@scripts/test-declared oldest $(ARGS)

test-all:  ## the test suite on every CPython >= 3.11 of this machine: [ARGS=tests/unit]
	@found="$$(scripts/pythons)"; \
	echo "found:"; echo "$$found" | sed 's/^/  /'; \
	failed=; \
	while read -r version python; do \
	    echo "== $$version"; \
	    $(MAKE) --no-print-directory setup VENV=".venv-$$version" PYTHON="$$python" </dev/null \
	        && VENV=".venv-$$version" scripts/test $(ARGS) </dev/null \
	        || failed="$$failed $$version"; \
	done <<< "$$found"; \
	[ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

docs: setup  ## build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict

# The peers are large, and nobody else needs them: they are installed when they are asked for.
$(VENV)/.installed-bench: $(installed) requirements/bench.txt
	$(VENV)/bin/python -m pip install --quiet --require-hashes --requirement requirements/bench.txt
	@touch $@

bench: setup $(if $(filter --peers --plot --core --savina --all --missing,$(ARGS)),$(VENV)/.installed-bench)  ## run the benchmarks: make bench [ARGS=--help]
	@env -u PYTHONDONTWRITEBYTECODE $(VENV)/bin/python -m benchmarks $(ARGS)

soak: setup  ## do harm to a running Corps for ten minutes, and judge: make soak [STORM=border] [ARGS='--minutes 120 --seed 7']
	@$(VENV)/bin/python -m tests.storm $(STORM) --minutes 10 --report benchmarks/soak/$(STORM) $(ARGS)

flood: setup  ## have many clients of other Corps flood a worker, and show how they share it: make flood [ARGS='--seconds 60']
	@$(VENV)/bin/python -m benchmarks.fairness $(ARGS)

strangers: setup  ## show what connections of strangers cost an honest client: make strangers [ARGS='--full --seconds 60']
	@$(VENV)/bin/python -m benchmarks.strangers $(ARGS)

# atheris chooses bytes by what they reach. It is built for few interpreters, so it is installed when it is asked for.
$(VENV)/.installed-fuzz: $(installed) requirements/fuzz.txt
	$(VENV)/bin/python -m pip install --quiet --require-hashes --requirement requirements/fuzz.txt
	@touch $@

fuzz: setup $(if $(filter --guided,$(ARGS)),$(VENV)/.installed-fuzz)  ## give bytes that are nearly right to all that reads strangers' bytes: make fuzz [ARGS=--help]
	@$(VENV)/bin/python -m tests.fuzz --frames 1000000 --handshakes 1000000 --report benchmarks/fuzz/report.md $(ARGS)

clean:  ## remove what was built, and caches; venvs stay
	rm -rf build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -path './.venv*' -prune -o -name __pycache__ -type d -exec rm -rf {} +

# Every target sets up what it needs. PYTHON names the interpreter, ARGS goes to the tool that is run:
#   make test ARGS="-k registry"      make demo PYTHON=python3.13

PYTHON ?= python3
PY := .venv/bin/python
UV := $(PY) -m uv
READY := .venv/.stamp
INTEROP := .venv-interop/.stamp
NPM := .venv-interop/bin/npm
NPM_OPTIONS := --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
FUZZ := .venv/.stamp-fuzz
BENCH := .venv-bench/.stamp
BENCH_RUNS ?= 5
FUZZ_SECONDS ?= 60
WORKERS ?= 3
SOAK_SECONDS ?= 600
CHAOS_SECONDS ?= 120
WHEELS := .venv-wheels/bin
MEMBERS := core pytest-modelplug $(patsubst %/pyproject.toml,%,$(wildcard providers/*/pyproject.toml))
EXPORT := $(UV) export -q --frozen --no-emit-workspace --no-header --no-annotate

export UV_SYSTEM_CERTS ?= 1
export UV_PYTHON_DOWNLOADS ?= never
export NODE_USE_SYSTEM_CA ?= 1

.PHONY: demo test interop lint format types fuzz soak chaos bench bench-peers tables matrix conformance-selftest wheels interop-env lock lock-check changelog clean

demo: $(READY)
	@$(PY) examples/demo.py $(ARGS)

# Many tests wait for a clock or a process, so one process more than two cores; WORKERS=0 for one.
test: $(READY) $(INTEROP)
	$(PY) -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

# Clients and servers that share no code with us; part of `make test`.
interop: $(READY) $(INTEROP)
	$(PY) -m pytest -n $(WORKERS) --dist loadfile tests/interop $(ARGS)

lint: $(READY)
	$(PY) -m ruff check
	$(PY) -m ruff format --check

format: $(READY)
	$(PY) -m ruff check --fix-only
	$(PY) -m ruff format

types: $(READY)
	$(PY) -m mypy $(ARGS)

# FUZZ_SECONDS for each target; ARGS names one, and inputs of it to be tried again.
fuzz: $(FUZZ)
	$(PY) -m fuzz.run --seconds $(FUZZ_SECONDS) $(ARGS)

# Many streams at once, for SOAK_SECONDS; says how memory grows, and what is left.
soak: $(READY)
	$(PY) -m stress.soak --seconds $(SOAK_SECONDS) $(ARGS)

# Random faults at random moments, for CHAOS_SECONDS; ARGS="--seed N" repeats a run.
chaos: $(READY)
	$(PY) -m stress.chaos --seconds $(CHAOS_SECONDS) $(ARGS)

# Ours, the bare libraries and the peers, in turn, which takes most of an hour on a quiet machine.
# ARGS="--only spark" for some cases, "--docs docs" to write what docs/performance.md shows.
bench: $(READY) $(BENCH)
	$(PY) -m benchmarks --runs $(BENCH_RUNS) $(ARGS)

# The environment of what benchmarks compare with.
bench-peers: $(BENCH)

# Builds everything, checks what is inside, then uses it in a clean environment, from outside the tree.
wheels: $(READY)
	rm -rf dist
	$(UV) build -q --python $(PY) --all-packages --no-build-isolation --out-dir dist
	$(PY) scripts/check_wheels.py dist $(MEMBERS)
	$(UV) venv -q --clear --python $(PY) .venv-wheels
	set -- dist/modelplug-[0-9]*.whl && $(UV) pip install -q --python $(WHEELS)/python \
		--only-binary :all: -c requirements/dev.txt "$$1[cli,conformance]" dist/modelplug_*.whl dist/pytest_modelplug-*.whl
	cd / && "$(CURDIR)/$(WHEELS)/python" -c "import modelplug, modelplug_echo, modelplug_openai, modelplug_spark"
	cd / && "$(CURDIR)/$(WHEELS)/python" -m pytest -q -p no:cacheprovider --conformance=spark "spark::MOD-01"
	cd / && "$(CURDIR)/$(WHEELS)/modelplug" --help
	cd / && "$(CURDIR)/$(WHEELS)/modelplug" backends
	cd / && "$(CURDIR)/$(WHEELS)/modelplug" ask hello -b echo </dev/null | grep -x hello

interop-env: $(INTEROP)

# The kit's own proof: what is right passes, every mutant dies by the check that it names.
conformance-selftest: $(READY)
	$(PY) -m pytest -n $(WORKERS) --dist worksteal tests/core/conformance $(ARGS)

# Checks our providers and writes their page, docs/conformance-matrix.html; takes four minutes.
matrix: $(READY)
	$(foreach name,echo openai spark,.venv/bin/modelplug conformance $(name) --seed 1 --json .venv/$(name).json &&) true
	.venv/bin/modelplug conformance merge .venv/echo.json .venv/openai.json .venv/spark.json -o docs/conformance-matrix.html

# Writes what is made from the code: tables in docs/, the page of what works of Spark, and the
# conformance kit's newest requirement set, while it isn't frozen.
tables: $(READY)
	$(PY) scripts/tables.py --write
	$(PY) scripts/requirement_set.py --write
	$(PY) scripts/spark_coverage.py --write

# Takes the newest versions that the pyproject files and package.json allow.
lock: $(READY)
	$(UV) lock -q --upgrade --python $(PY)
	$(EXPORT) --only-group bootstrap -o requirements/bootstrap.txt
	$(EXPORT) --only-group bench -o requirements/bench.txt
	$(EXPORT) --only-group fuzz -o requirements/fuzz.txt
	$(EXPORT) --only-group interop -o requirements/interop.txt
	$(EXPORT) --all-packages --all-extras --group dev -o requirements/dev.txt
	$(MAKE) --no-print-directory $(NPM)
	cd tests/interop && "$(CURDIR)/$(NPM)" update --package-lock-only --omit-lockfile-registry-resolved $(NPM_OPTIONS)
	$(PY) scripts/lock_inputs.py --write

lock-check: $(READY)
	$(PY) scripts/lock_inputs.py

# Shows the next release's notes; with VERSION=1.2.3 it writes them and removes the fragments.
changelog: $(READY)
	$(PY) -m towncrier build $(if $(VERSION),--yes --version $(VERSION),--draft --version unreleased)

clean:
	rm -rf .venv .venv-bench .venv-interop .venv-wheels .fuzz dist uv.lock .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(READY): requirements/bootstrap.txt requirements/dev.txt $(MEMBERS:=/pyproject.toml)
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { \
		echo "$(PYTHON) is missing or older than Python 3.11. Name a newer one: make PYTHON=python3.12 ..."; \
		exit 1; }
	$(PYTHON) -m venv .venv
	$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	$(UV) pip install -q --python $(PY) --require-hashes --only-binary :all: -r requirements/dev.txt
	$(UV) pip install -q --python $(PY) --no-deps --no-build-isolation $(MEMBERS:%=-e %)
	@touch $@

$(FUZZ): requirements/fuzz.txt $(READY)
	$(UV) pip install -q --python $(PY) --require-hashes --only-binary :all: -r requirements/fuzz.txt
	@touch $@

$(BENCH): requirements/bench.txt $(READY)
	$(UV) venv -q --clear --python $(PY) .venv-bench
	$(UV) pip install -q --python .venv-bench/bin/python --require-hashes --only-binary :all: \
		-r requirements/bench.txt
	@touch $@

# The foreign clients: those in Python, and Node.js with npm, whose packages go beside them.
$(NPM): requirements/interop.txt $(READY)
	$(UV) venv -q --clear --python $(PY) .venv-interop
	$(UV) pip install -q --python .venv-interop/bin/python --require-hashes --only-binary :all: \
		-r requirements/interop.txt
	@touch $@

$(INTEROP): tests/interop/package.json tests/interop/package-lock.json $(NPM)
	cp tests/interop/package.json tests/interop/package-lock.json .venv-interop
	$(NPM) ci --prefix .venv-interop $(NPM_OPTIONS)
	@touch $@

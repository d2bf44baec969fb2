# Each target is a few lines that anyone can type by hand. Python 3.11 or newer and make are enough.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Both cores of a small machine; `make test PYTEST_FLAGS=` runs one test after another.
PYTEST_FLAGS ?= -n 2 --dist loadfile

.PHONY: demo test caches check bench ranks fuzz torture torture-orders serve docs clean
.DELETE_ON_ERROR:

demo: $(VENV)/installed
	$(BIN)/mmhub demo

test: $(VENV)/installed-test
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

# Fetches and builds once what the tests keep in MMHUB_CACHE, else in ~/.cache/mmhub-tests: Apache Kafka and the like.
caches: $(VENV)/installed-test
	$(BIN)/python -m tests.support.prepare

check: $(VENV)/installed-check
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Two libraries that are only compared with have no wheels for some machines: the page says so then.
bench: $(VENV)/installed-test
	$(BIN)/python -m pip install --quiet --only-binary :all: --group bench || echo "jetliner and polars-avro are not compared with"
	$(BIN)/python -m tests.benchmarks.bench
	$(BIN)/python -m tests.benchmarks.report
	$(BIN)/python -m tests.benchmarks.latency

ranks: $(VENV)/installed
	$(BIN)/python tests/benchmarks/demo_ranks.py

fuzz: $(VENV)/installed-test
	MMHUB_TEST_FUZZ=full $(BIN)/python -m pytest tests -m fuzz $(PYTEST_FLAGS)

# Half an hour on two quiet cores: the hub killed 200 times while it takes in 45,000 messages, the same smaller on PostgreSQL, a
# consumer group dealt out anew 50 times, links and brokers away for a minute; and a sender of follow-up requests, killed 200 and 50 times. A run that fails leaves its folder, which it names.
torture: $(VENV)/installed-test
	folder=$$(mktemp -d) && echo $$folder \
	&& $(BIN)/python -m tests.torture.kill_hub $$folder/sqlite --kills 200 --size large \
	&& $(BIN)/python -m tests.torture.kill_hub $$folder/postgresql --kills 40 --size medium --database postgresql \
	&& $(BIN)/python -m tests.torture.kill_sender $$folder/sender --intents 1000 --kills 200 \
	&& $(BIN)/python -m tests.torture.kill_sender_portal $$folder/portal --intents 250 --kills 50 \
	&& rm -r $$folder
	MMHUB_TEST_REBALANCES=50 MMHUB_TEST_OUTAGE_S=60 $(BIN)/python -m pytest \
	  tests/flows/kafka/test_group.py tests/flows/kafka/test_outages.py tests/torture -o timeout=3600

# Some hours on two quiet cores: one world in a thousand random orders and batches, a fifth of them by two hubs at once.
torture-orders: $(VENV)/installed-test
	$(BIN)/python -m tests.torture.orders --orders 1000 --page docs/reliability.md

serve: $(VENV)/installed
	$(BIN)/mmhub serve

docs: $(VENV)/installed-docs
	$(BIN)/python -m sphinx --quiet -W -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean:
	rm -rf $(VENV) build dist docs/_build *.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": call make with PYTHON=python3.12 or the like")'
	$(PYTHON) -m venv $(VENV)

# voevent-parse comes as an sdist that only pip unpacks; dependency groups need pip 25.1.
$(VENV)/installed: pyproject.toml setup.py | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1' setuptools wheel
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --group test
	@touch $@

$(VENV)/installed-check: $(VENV)/installed-test
	$(BIN)/python -m pip install --quiet --group check
	@touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --group docs
	@touch $@

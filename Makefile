# Everything goes through bootstrap.py, which sets up .venv on the first run, and anew when it has to.
PYTHON ?= python3

.PHONY: help lab test test-all run bundle clean-copies docs bench export

help:
	@echo 'make lab      open the lessons in JupyterLab    LAB_FLAGS="--no-browser --port=8899"'
	@echo 'make test     run the tests                     PYTEST_FLAGS="-k 02"'
	@echo 'make test-all run all tests: whole lessons, browsers, several processes too'
	@echo 'make run      run every lesson without a browser, and print a table'
	@echo 'make bundle   write each lesson as one file, and flashcards, to _bundles/'
	@echo 'make clean-copies   write the lessons without outputs and answers to _clean/'
	@echo 'make docs     build the site that needs no network, in _site/'
	@echo 'make bench    run the measurements in benchmarks/   BENCH_FLAGS="--full"'
	@echo 'make export   export the notebooks to helpers/ and clean them'
	@echo
	@echo 'Another Python (3.10 to 3.14): make lab PYTHON=python3.11'
	@echo 'Without make: python bootstrap.py lab'

lab:
	@$(PYTHON) bootstrap.py lab $(LAB_FLAGS)

test:
	@$(PYTHON) bootstrap.py test $(PYTEST_FLAGS)

test-all:
	@$(PYTHON) bootstrap.py test-all $(PYTEST_FLAGS)

run:
	@$(PYTHON) bootstrap.py run

bundle:
	@$(PYTHON) bootstrap.py bundle

clean-copies:
	@$(PYTHON) bootstrap.py clean-copies

docs:
	@$(PYTHON) bootstrap.py docs

bench:
	@$(PYTHON) bootstrap.py bench $(BENCH_FLAGS)

export:
	@$(PYTHON) bootstrap.py export

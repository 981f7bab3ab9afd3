# `make sweep` and `make test` set up all they need by themselves, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Files of tests, two at a time: most of them wait for processes of theirs, and a file's own share what they start.
TWO := -n 2 --dist loadfile

.PHONY: sweep setup test test-long test-gpu lint bench-overhead bench-cohort bench-quality bench-automl bench-quality-simulation bench-scale bench-report bench-scoring experiments clean

sweep: $(READY)  ## the main job: search models on 30,000 credit-card accounts
	$(BIN)/distml sweep experiments/credit_default/sweep.yaml

setup: $(READY)  ## a virtual environment with everything, nothing run

test: $(READY) lint  ## what every change must pass, a few minutes
	$(BIN)/python -m pytest -m "not long and not gpu" $(TWO)

test-long: $(READY)  ## kills and long runs
	$(BIN)/python -m pytest -m "long and not gpu" $(TWO)

test-gpu: $(READY)  ## against a real NVIDIA card; says that it was skipped where there is none
	$(BIN)/python -m pytest -m gpu -s

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

bench-overhead: $(READY)  ## distml's own cost, and what growing forests saves, beside plain Ray Tune and scikit-learn
	$(BIN)/python experiments/benchmarks/overhead.py

bench-quality: $(READY)  ## the winner's holdout score after two minutes on the credit-card table
	$(BIN)/python experiments/benchmarks/quality.py

bench-automl: $(READY) $(VENV)-automl  ## the same over five seeds, each beside AutoGluon on the same rows: 20 minutes
	$(BIN)/python experiments/benchmarks/quality.py --seeds 0 1 2 3 4 --automl $(VENV)-automl/bin/python

$(VENV)-automl:
	$(PYTHON) -m venv $@
	grep ^torch== constraints.txt > $@/constraints.txt
	$@/bin/python -m pip install --quiet --constraint $@/constraints.txt \
	  'autogluon.tabular[lightgbm,catboost,xgboost,fastai]==1.6.*' || { rm -rf $@; false; }

bench-cohort: $(READY)  ## trials a minute of cohorts, beside plain Ray Tune and Optuna
	$(BIN)/python experiments/benchmarks/cohort.py

bench-quality-simulation: $(READY)  ## how soon cohorts have random search's best score, on recorded learning curves
	$(BIN)/python experiments/learning_curves/simulate.py
	$(BIN)/python experiments/learning_curves/limits.py
	$(BIN)/python experiments/learning_curves/guided.py

experiments: $(READY)  ## every experiment that is a sweep file, small: at most 10 minutes
	$(BIN)/python experiments/small.py

bench-scale: $(READY)  ## the bookkeeping and the packer on a simulated cluster of up to 1,000 GPUs and 7,000 slices
	$(BIN)/python experiments/benchmarks/scale.py

bench-report: $(READY)  ## the report of 10,000 trials: its size, and how soon it opens in Chromium
	PYTHONPATH=. $(BIN)/python experiments/benchmarks/report.py

bench-scoring: $(READY)  ## a table of 10 GiB through the scorer of `make sweep`: rows a second, and memory; 10 minutes
	$(BIN)/python experiments/benchmarks/scoring.py

clean:
	rm -rf $(VENV) $(VENV)-automl build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Two commands are all a newcomer needs: `make demo` and `make test`. Each sets up everything by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_OUT ?= demo-output

.PHONY: demo test lint warm test-unit test-system bench docs clean

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Troughline needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check --prefer-binary --editable '.[dev]'
	@touch $(READY)

demo: $(READY)
	$(BIN)/troughline demo --out $(DEMO_OUT)

test: lint test-unit test-system

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

# Compiles the engine and the estimation once, so that the tests' parallel processes do not all compile it.
warm: $(READY)
	$(BIN)/python -m troughline.pk.warm

test-unit: $(READY) warm
	$(BIN)/python -m pytest tests/unit tests/reference tests/property -n auto

test-system: $(READY) warm
	$(BIN)/python -m pytest tests/system -n auto

bench: $(READY)
	$(BIN)/python benchmarks/roc_bootstrap.py
	$(BIN)/python benchmarks/study_speed.py
	$(BIN)/python -m benchmarks.operating_characteristics
	$(BIN)/python -m benchmarks.individual_estimates
	$(BIN)/python -m benchmarks.troughs
	$(BIN)/python -m benchmarks.cold_start
	$(BIN)/python -m benchmarks.estimate_memory
	$(BIN)/python -m benchmarks.pooling_coverage
	$(BIN)/python -m benchmarks.association_operating_characteristics
	$(BIN)/python -m benchmarks.interaction_operating_characteristics
	$(BIN)/python -m benchmarks.change_operating_characteristics
	$(BIN)/python -m benchmarks.westfall_young
	$(BIN)/python -m benchmarks.several_occasions
	$(BIN)/python -m benchmarks.change_and_outcome
	$(BIN)/python -m benchmarks.many_markers
	$(BIN)/python -m benchmarks.dose_speed
	$(BIN)/python -m benchmarks.dose_calibration
	$(BIN)/python -m benchmarks.dose_calibration_top
	$(BIN)/python -m benchmarks.dose_enumeration
	$(BIN)/python -m benchmarks.dose_policies
	$(BIN)/python -m benchmarks.mechanism_speed
	$(BIN)/python -m benchmarks.trial_speed
	$(BIN)/python -m benchmarks.reconstruction
	$(BIN)/python benchmarks/survival_speed.py $(if $(RIVAL_PYTHON),--rival-python $(RIVAL_PYTHON))

docs: $(READY)
	$(BIN)/python tools/write_docs.py

clean:
	rm -rf $(VENV) $(DEMO_OUT) .pytest_cache .ruff_cache .hypothesis

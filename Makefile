# Everything that a developer runs. `make help` lists the targets; `make test` is the one test command.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules --warn-undefined-variables

SWIFT ?= swift
FUZZ_SECONDS ?= 60
# Of the random numbers: 0 takes another one each time.
FUZZ_SEED ?= 0
LAB_PREBUILT ?=
FUZZ_BUILD := .build-fuzz
FUZZ_CORPUS := Tests/Fuzz/corpus
LINTED := Package.swift Sources Tests
CHECKS := layers sizes unsafe words links units coverage promises assumptions
# The status of `make systemd-test` where it cannot be done.
SKIP_STATUS ?= 0
DEMO_PROGRAMS := smmu-brokerd smmuctl vmm-example
DEBIAN_PACKAGES := cpio git groff-base libsystemd-dev make mmdebstrap python3 systemd systemd-container valgrind \
    xz-utils zstd

# Where `make install` puts things, below DESTDIR. BUILD_DIR has the programs.
DESTDIR ?=
PREFIX ?= /usr
SYSCONFDIR ?= /etc
BUILD_DIR ?= .build/release
# Each a directory and the files that go there, with `:` between directory and files. Of programs, 755; of others, 644.
PROGRAMS = $(PREFIX)/sbin:$(BUILD_DIR)/smmu-brokerd $(PREFIX)/bin:$(BUILD_DIR)/smmuctl
SHARED = \
    $(patsubst %,$(PREFIX)/lib/systemd/system:%,$(wildcard systemd/*.service systemd/*.socket systemd/*.timer)) \
    $(PREFIX)/lib/systemd/catalog:systemd/smmu-broker.catalog \
    $(patsubst %,$(PREFIX)/include:%,$(wildcard Sources/CSMMUBroker/include/*.h)) \
    $(patsubst %,$(PREFIX)/share/smmu-broker/client:%,$(wildcard Sources/CSMMUBroker/*.[ch])) \
    $(foreach section,1 5 7 8,$(patsubst %,$(PREFIX)/share/man/man$(section):%,$(wildcard docs/man/*.$(section))))
# Installed under another name: the directory decides what they are.
RENAMED = \
    $(PREFIX)/lib/sysusers.d/smmu-broker.conf:systemd/smmu-broker.sysusers \
    $(PREFIX)/lib/udev/rules.d/90-smmu-broker.rules:systemd/smmu-broker.rules \
    $(PREFIX)/lib/tmpfiles.d/smmu-broker.conf:systemd/smmu-broker.tmpfiles
# The administrator's: what is there already stays, and what was changed is not removed.
CONFIGURATION = \
    $(patsubst %,$(SYSCONFDIR)/smmu-broker:%,$(wildcard config/*.conf)) \
    $(patsubst %,$(SYSCONFDIR)/smmu-broker/smmu-broker.conf.d:%,$(wildcard config/*.conf.d/*))

.PHONY: all build release test systemd-test lint format checks demo lab bench fuzz coverage-doc install uninstall install-deps clean help

all: build

build: ## Build everything for debugging
	$(SWIFT) build

release: ## Build everything optimised, with the Swift runtime linked in
	$(SWIFT) build -c release --static-swift-stdlib

test: lint checks build ## Lint, checks, build and all tests: the one test command
	$(SWIFT) test

systemd-test: ## Run the daemon under a systemd and journald of its own, in a container (as root; makes a Debian once)
	@Tests/Systemd/run.sh can || exit $(SKIP_STATUS); \
	for program in $(DEMO_PROGRAMS); do $(SWIFT) build -c release --static-swift-stdlib --product $$program; done; \
	Tests/Systemd/run.sh run "$$($(SWIFT) build -c release --show-bin-path)"

lint: ## Check the format of all Swift sources
	$(SWIFT) format lint --strict --recursive --parallel $(LINTED)

format: ## Bring all Swift sources into the one format
	$(SWIFT) format --in-place --recursive --parallel $(LINTED)

checks: ## Run the checks of Tests/Checks: layers, sizes, unsafe code, links, coverage of the rules, promises, assumptions
	@export PYTHONDONTWRITEBYTECODE=1; failed=""; \
	python3 Tests/Checks/selftest.py --quiet || failed+=" selftest"; \
	for check in $(CHECKS); do \
	    python3 Tests/Checks/$$check.py $$([[ $$check != coverage ]] || echo --check) || failed+=" $$check"; \
	done; \
	if [[ -n $$failed ]]; then echo "checks failed:$$failed" >&2; exit 1; fi

lab: ## Check the broker on a real kernel, in a virtual machine (LAB_PREBUILT=DIR has its kernel and image)
	@LAB_PREBUILT="$(LAB_PREBUILT)" Tests/Lab/lab.sh

demo: install-deps ## Show the broker at work on a recorded guest: installs what is missing, builds, runs (no hardware needed)
	for program in $(DEMO_PROGRAMS); do $(SWIFT) build --product $$program; done
	Tests/Demo/demo.sh "$$($(SWIFT) build --show-bin-path)"

bench: ## Run the benchmarks (BENCH_QUICK=1: a short round, BENCH_JSON=FILE: results also as JSON)
	for program in smmu-brokerd smmu-broker-bench; do \
	    $(SWIFT) build -c release --static-swift-stdlib --product $$program; \
	done
	"$$($(SWIFT) build -c release --show-bin-path)/smmu-broker-bench"

fuzz: ## Fuzz the model, and the broker's rules with the model behind them, each for FUZZ_SECONDS (default 60)
	for program in FuzzModel FuzzBroker; do \
	    FUZZ=1 $(SWIFT) build -c release --scratch-path $(FUZZ_BUILD) --product $$program; \
	    mkdir -p $(FUZZ_BUILD)/$$program; \
	    fuzzer="$$(FUZZ=1 $(SWIFT) build -c release --scratch-path $(FUZZ_BUILD) --show-bin-path)/$$program"; \
	    seeds=(); if [[ -d $(FUZZ_CORPUS)/$$program ]]; then seeds=($(FUZZ_CORPUS)/$$program); fi; \
	    SWIFT_BACKTRACE=enable=no timeout -k 10 $$(($(FUZZ_SECONDS) + 60)) "$$fuzzer" \
	        -max_total_time=$(FUZZ_SECONDS) -seed=$(FUZZ_SEED) -timeout=10 -artifact_prefix=$(FUZZ_BUILD)/ -print_final_stats=1 \
	        $(FUZZ_BUILD)/$$program "$${seeds[@]}"; \
	done

coverage-doc: ## Write docs/model-coverage.md from the rules and the names of the tests
	python3 Tests/Checks/coverage.py

install: ## Install what `make release` has built (DESTDIR=, PREFIX=/usr, SYSCONFDIR=/etc, BUILD_DIR=.build/release)
	@for pair in $(PROGRAMS); do install -D -m 755 -t "$(DESTDIR)$${pair%%:*}" "$${pair#*:}"; done
	@for pair in $(SHARED); do install -D -m 644 -t "$(DESTDIR)$${pair%%:*}" "$${pair#*:}"; done
	@for pair in $(RENAMED); do install -D -m 644 "$${pair#*:}" "$(DESTDIR)$${pair%%:*}"; done
	@for pair in $(CONFIGURATION); do \
	    target="$(DESTDIR)$${pair%%:*}/$$(basename "$${pair#*:}")"; \
	    [[ -e $$target ]] || install -D -m 644 "$${pair#*:}" "$$target"; \
	done
	@sed -i -E 's#/usr/(s?bin)/#$(PREFIX)/\1/#g' "$(DESTDIR)$(PREFIX)/lib/systemd/system/smmu-brokerd.service"
	@sed -i -E 's#/usr/(s?bin)/#$(PREFIX)/\1/#g' "$(DESTDIR)$(PREFIX)/lib/systemd/system/smmu-broker-metrics.service"
	@if [[ -z "$(DESTDIR)" ]]; then \
	    echo "Now, as root: systemd-sysusers; systemd-tmpfiles --create; udevadm control --reload; udevadm trigger; journalctl --update-catalog;"; \
	    echo "systemctl daemon-reload; systemctl enable --now smmu-brokerd"; \
	fi

uninstall: ## Remove what `make install` installed, but configuration that was changed since
	@for pair in $(PROGRAMS) $(SHARED); do rm -f "$(DESTDIR)$${pair%%:*}/$$(basename "$${pair#*:}")"; done
	@for pair in $(RENAMED); do rm -f "$(DESTDIR)$${pair%%:*}"; done
	@for pair in $(CONFIGURATION); do \
	    target="$(DESTDIR)$${pair%%:*}/$$(basename "$${pair#*:}")"; \
	    if cmp -s "$${pair#*:}" "$$target"; then rm -f "$$target"; fi; \
	done
	@for directory in "$(SYSCONFDIR)/smmu-broker/smmu-broker.conf.d" "$(SYSCONFDIR)/smmu-broker" \
	    "$(PREFIX)/share/smmu-broker/client" "$(PREFIX)/share/smmu-broker"; do \
	    if [[ -d "$(DESTDIR)$$directory" ]]; then rmdir --ignore-fail-on-non-empty "$(DESTDIR)$$directory"; fi; \
	done

install-deps: ## Install the Debian packages that are missing (as root)
	@missing=(); \
	for package in $(DEBIAN_PACKAGES); do \
	    state=$$(dpkg-query -W -f '$${Status}' "$$package" 2>&1 || true); \
	    [[ $$state == "install ok installed" ]] || missing+=("$$package"); \
	done; \
	if [[ $${#missing[@]} -eq 0 ]]; then echo "Nothing is missing: $(DEBIAN_PACKAGES)"; exit 0; fi; \
	echo "Installing $${missing[*]}"; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get update -q; \
	apt-get install -q -y --no-install-recommends "$${missing[@]}"

clean: ## Remove everything that was built
	rm -rf .build .build-lab $(FUZZ_BUILD) Tests/Checks/__pycache__

help: ## Show this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22

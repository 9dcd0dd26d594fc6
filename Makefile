# make run    build everything in release and show pm at work (pm demo)
# make test   install what is missing, start the real components, run every test, stop them
# make quick  the short run for everyday work: no servers
# make check  formatting, lints, documentation, dependencies
# make mutants  change the policy in a thousand ways; a test must notice each (an hour or two; FILES=policy/src/group.rs for one file)
# make fuzz   look for inputs that break a rule, a minute for each target (SECONDS=3600 for an hour of each)
# make reference  write docs/plugin-reference.md anew from the libraries
# make bench  measure, each figure beside a floor of the same run
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := run
COMPONENTS := $(CURDIR)/target/components
NEXTEST := cargo nextest run --workspace --no-fail-fast
export CARGO_TERM_COLOR ?= auto

.PHONY: run test quick check mutants fuzz bench build release reference tools

release:
	cargo build --release --workspace --exclude pm-tests --exclude pm-test-plugin-misbehave --exclude pm-test-plugin-wreck-00
	@! grep -aq PM_FAILPOINT target/release/pm || { echo 'target/release/pm can be killed by tests: it must not be built with failpoints'; exit 1; }

run: release
	target/release/pm demo

# Tests drive the built program and the built plugins, so these are built first.
build:
	cargo build --workspace

tools:
	@command -v cargo-nextest >/dev/null || cargo install cargo-nextest --locked

test: build tools
	tests/components/install.sh
	tests/run.sh $(COMPONENTS) $(NEXTEST)
	cargo test --doc --workspace -q

quick: build tools
	@echo "The short run leaves out: MariaDB, PostgreSQL, systemd as PID 1, dockerd, and building the book's plugin. They are in: make test"
	PM_TEST_SHORT=1 $(NEXTEST) -E 'not test(plugins::example)'

check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --document-private-items -q
	@command -v cargo-deny >/dev/null || cargo install cargo-deny --locked --no-default-features
	cargo deny check bans licenses sources

# The page of the book that is made from the schemas of the libraries.
reference: build tools
	PM_BLESS=1 $(NEXTEST) -E 'test(the_reference_in_the_book_is_what_the_libraries_say)'

FILES ?= policy/src/*.rs policy/src/*/*.rs
mutants:
	@command -v cargo-mutants >/dev/null || cargo install cargo-mutants --locked
	cargo mutants -p pm-policy $(foreach file,$(FILES),--file '$(file)') --output target/mutants

# The code is instrumented with flags that a stable compiler takes only when it is told to.
FUZZ = $(if $(shell rustc +nightly -V 2>/dev/null),cargo +nightly fuzz,env RUSTC_BOOTSTRAP=1 cargo fuzz)
TARGETS ?= configuration manifest names frames
fuzz:
	@command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked || { echo 'make fuzz needs cargo-fuzz: cargo install cargo-fuzz'; exit 1; }
	@command -v c++ >/dev/null || { echo 'make fuzz needs a C++ compiler, for libFuzzer'; exit 1; }
	for target in $(TARGETS); do \
	  mkdir -p fuzz/corpus/$$target; \
	  seeds=fuzz/inputs/$$target; \
	  [ $$target != configuration ] || seeds="$$seeds tests/fixtures/config/valid tests/fixtures/config/invalid"; \
	  $(FUZZ) run --sanitizer none $$target fuzz/corpus/$$target $$seeds -- \
	    -max_total_time=$(or $(SECONDS),60) -timeout=10 -max_len=8192 || exit 1; \
	done

bench: release
	tests/components/install.sh
	cargo build --release -p pm-tests --bin pm-bench
	tests/run.sh $(COMPONENTS) target/release/pm-bench

# Everything that is done to this repository has a name here. `make` alone lists the names.

CARGO ?= cargo
DATA_DIR ?= vyrox-data
TOOLS := target/tools
FEATURES := --features fault-injection

.DEFAULT_GOAL := help
.PHONY: help run demo test check fmt lint doc deny bench fuzz sim soak clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## build, serve on ./vyrox-data, play a scenario as tenant demo, keep serving
	$(CARGO) run -- serve --demo --data-dir $(DATA_DIR)

demo: ## that, and a containment at stand-ins of the EDRs and back, on a throw-away directory; then stop
	$(CARGO) run -- demo

test: ## the whole fast suite
	$(CARGO) test --workspace $(FEATURES)

check: fmt lint test doc deny ## everything that CI asks for

fmt: ## formatting
	$(CARGO) fmt --all --check

lint: ## clippy, warnings are errors
	$(CARGO) clippy --workspace --all-targets $(FEATURES) -- -D warnings

doc: ## documentation builds without a warning
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items

deny: ## licences, banned crates and sources of all dependencies
	@PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH"; export PATH; \
	if ! command -v cargo-deny >/dev/null; then \
		echo "cargo-deny is missing; install it for this repository alone with:" >&2; \
		echo "  cargo install cargo-deny --locked --root $(TOOLS)" >&2; \
		exit 1; \
	fi; \
	cargo-deny --workspace check --hide-inclusion-graph licenses bans sources

bench: ## measurements, each beside its raw baseline
	$(CARGO) bench --workspace --bench '*'

fuzz: ## the suite with CASES=20000 cases a property test
	PROPTEST_CASES=$(or $(CASES),20000) $(CARGO) test --workspace $(FEATURES)

sim: ## SEEDS random schedules of the disk (100000) and of containments (10000); VYROX_SEED=7 repeats one
	CASES=$(or $(SEEDS),100000) CARGO_PROFILE_DEV_OPT_LEVEL=2 $(CARGO) test -p vyrox-journal --lib \
		simulation::tests::many -- --ignored --nocapture
	CASES=$(or $(SEEDS),10000) $(CARGO) test -p vyrox-actors --features fault-injection --test it \
		schedules::many -- --ignored --nocapture

soak: ## ROUNDS (1000) kills of the server under load, and file systems that go; VYROX_SEED=7 repeats the dice
	ROUNDS=$(or $(ROUNDS),1000) $(CARGO) test -p vyrox $(FEATURES) --test it crash::soak -- --ignored --nocapture
	$(CARGO) test -p vyrox $(FEATURES) --test it disk::shut_down -- --ignored --nocapture

clean: ## what was built; never your data
	$(CARGO) clean

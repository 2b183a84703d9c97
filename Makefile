# Short names for the commands in tests/rigs; each of those explains itself with --help.
# YES=1 installs missing Debian packages without asking.

MUSL = $(shell uname -m)-unknown-linux-musl

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r n t; do printf '  make %-14s %s\n' "$$n" "$$t"; done

run: ## firebell from this checkout, on your kernel log and your desktop, until Ctrl-C (popups from the log need root)
	@tests/rigs/run

demo: ## the whole way in ten seconds: a scan into a private firewall, and its popup (root)
	@tests/rigs/demo

build: ## the programs, optimised: target/release
	@tests/rigs/packages build
	@cargo build --release --locked -p firebell-collector -p firebell-cli -p firebell-notifier --bins

musl: ## the same, linked statically with musl: target/ARCHITECTURE-unknown-linux-musl/release, for make install with BIN
	@tests/rigs/packages build musl
	@rustup target add $(MUSL)
	@cargo build --release --locked --target $(MUSL) -p firebell-collector -p firebell-cli -p firebell-notifier --bins

install: ## puts what make build has made into PREFIX (/usr/local), below DESTDIR (root)
	@systemd/package/install

uninstall: ## takes it away again; configuration and history stay (root)
	@systemd/package/install --uninstall

deb: ## a Debian package of what make build has made: target/packages
	@tests/rigs/packages deb
	@systemd/package/deb

rpm: ## an RPM package of it
	@tests/rigs/packages rpm
	@systemd/package/rpm

package-check: ## the Debian package on a booted Debian: install, work, upgrade, remove, purge (root, some two minutes)
	@tests/rigs/packages deb vm
	@tests/rigs/package-check

check: ## the whole test suite
	@tests/rigs/check

nightly: ## what takes hours: fuzzing, properties, kill -9 over and over, vm-check, package-check (root)
	@tests/rigs/nightly

vm-check: ## firebell on a booted Debian: journald, firewalls, reboots, desktops, dbus-broker, kill -9 (root, a quarter of an hour)
	@tests/rigs/vm-check

screenshots: ## pictures of every kind of popup on dunst and xfce4-notifyd, light and dark: docs/popups (root)
	@tests/rigs/screenshots

pictures: ## firebell on a terminal, its report and its charts: docs/pictures (root)
	@tests/rigs/pictures

exposure: ## how exposed the units are, beside others', and the crates of the collector: docs/EXPOSURE.md
	@tests/rigs/exposure --write

coverage: ## what is found and what is missed, judged anew: docs/COVERAGE.md and docs/COMPARISON.md
	@tests/rigs/coverage --write

bench-latency: ## first probe packet to popup, 20 times (root)
	@tests/rigs/bench-latency

bench-idle: ## memory and wake-ups of both programs when nothing happens (root)
	@tests/rigs/bench-idle

bench-analyze: ## firebell analyze and grep on the same large log
	@tests/rigs/bench-analyze

bench-psad: ## firebell analyze, psad -A and grep on logs of 10,000 to 10 million lines: time, memory, growth (root, an hour)
	@tests/rigs/bench-psad

bench-intake: ## lines a second through the file and the journal intake (root)
	@tests/rigs/bench-intake

bench-parse: ## log lines a second that one core reads
	@cargo bench --quiet -p firebell-engine --bench parse

bench-observe: ## from lines to findings on one core, with everything on, beside grep
	@cargo bench --quiet -p firebell-collector --bench observe

bench-rules: ## what 10, 1,000 and 10,000 rules cost a packet
	@cargo bench --quiet -p firebell-engine --bench signatures

.PHONY: help run demo build musl install uninstall deb rpm package-check check nightly vm-check screenshots pictures exposure coverage bench-latency bench-idle bench-analyze bench-psad bench-intake bench-parse bench-observe bench-rules

# Short names for the commands in tests/rigs; each of those explains itself with --help.
# YES=1 installs missing Debian packages without asking.

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r n t; do printf '  make %-14s %s\n' "$$n" "$$t"; done

check: ## the whole test suite
	@tests/rigs/check

.PHONY: help check

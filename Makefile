# Two commands: `make demo` shows what hone does, `make test` proves that it works. Both set up what is missing.
.PHONY: demo test setup
setup:
	@scripts/setup
demo: setup
	@scripts/demo
test: setup
	@scripts/test

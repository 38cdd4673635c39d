# The developer's menu. `make demo` and `make test` install what they need, and may be run twice.
.PHONY: quick demo test apps chaos bench schemas check

quick:           ## What to run before each commit: formatting, lints, and the tests without browser and broker
	@scripts/quick

demo:            ## The whole way of a job, once, with a broker, a site and a worker of its own
	@scripts/demo

test:            ## Everything: formatting, lints, licences, playbooks, scenarios, tests
	@scripts/test

apps:            ## The real apps: installed, started, and their scenarios played on them and on their twins
	@scripts/apps

chaos:           ## The whole fault bench, and the table of docs/reliability.md
	@scripts/chaos

bench:           ## One job beside the same flow in Playwright; the findings of a thousand playbooks; what the queue costs
	@benches/job/run
	@cargo bench --quiet --bench check
	@cargo bench --quiet --bench queue

schemas:         ## Refreshes what is generated from the types
	cargo run --quiet --bin seatwright -- schema --write docs/schema

check:           ## Says what is wrong with the playbooks
	cargo run --quiet --bin seatwright -- check

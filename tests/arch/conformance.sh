#!/bin/sh
# docs/CONFORMANCE.md and docs/ATTACKS.md are what their tables and the labels in the tests make
# them, and every row has a test.
# The requirements that are about applications are held against ours here.
# labels: SHLD-13 SHLD-23
set -u
cd "$TERN_ROOT" || exit 2

# shellcheck source=tests/arch/verdict
. tests/arch/verdict

verdict "every requirement has a row and a test" "$(tests/conformance/page --check)"
verdict "docs/CONFORMANCE.md is up to date" "$(
    tests/conformance/page | cmp -s - docs/CONFORMANCE.md || echo "make docs writes it"
)"
verdict "docs/ATTACKS.md is up to date" "$(
    tests/conformance/page --attacks | cmp -s - docs/ATTACKS.md || echo "make docs writes it"
)"
verdict "SHLD-13: the command sends no urgent data" "$(
    grep -rnE 'send.*MSG_OOB|TERN_OPT_URGENT' src/cmd src/host | grep -v '^src/host/run'
)"
verdict "SHLD-23: the command changes no DiffServ field" "$(
    grep -rnE 'TERN_OPT_DSCP' src/cmd src/host | grep -v '^src/host/run'
)"

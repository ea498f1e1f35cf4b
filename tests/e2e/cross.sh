#!/bin/sh
# A few unit tests on a processor with the bytes in the other order, where the compiler for it is
# there; `make cross` runs them all, and on arm64, too.
#
# run: background
# presets: release
set -u
OUT=$PWD TESTS='wire_ cksum siphash frag.' ROOMS='base wire ip' "$TERN_ROOT/tests/cross/run" s390x

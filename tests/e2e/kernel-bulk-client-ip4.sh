#!/bin/sh
# 100 MB each way between tern and Linux, IPv4: tern is the client, Linux serves.
#
# run: background
# limit: 300
#
# shellcheck source=tests/e2e/kernel-bulk-common.sh
. "$TERN_ROOT/tests/e2e/kernel-bulk-common.sh"

every tern_to_linux 4

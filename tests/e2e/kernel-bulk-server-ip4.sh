#!/bin/sh
# 100 MB each way between tern and Linux, IPv4: Linux is the client, tern serves.
#
# run: background
# limit: 300
#
# shellcheck source=tests/e2e/kernel-bulk-common.sh
. "$TERN_ROOT/tests/e2e/kernel-bulk-common.sh"

every linux_to_tern 4

#!/bin/sh
# 100 MB each way between tern and Linux, IPv6: tern is the client, Linux serves.
#
# run: background
# limit: 300
#
# shellcheck source=tests/e2e/kernel-bulk-common.sh
. "$TERN_ROOT/tests/e2e/kernel-bulk-common.sh"

every tern_to_linux 6
for offload in tso checksum; do
    interface 1500 cubic
    tern_to_linux 1500 6 $offload
done

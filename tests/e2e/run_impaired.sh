#!/bin/sh
# The same 100 MB over a link that loses, delays, reorders, duplicates and corrupts.
# limit: 840
# run: background
# presets: release
set -u
. "$TERN_ROOT/tests/e2e/lib.sh"

size=100000000
want=$(digest_of $size)
build_static || exit 1

fetch() { # NAME COMMAND...
    name=$1
    shift
    timeout 800 "$TERN" run -q --loss 2% --delay 20ms --reorder 1% --duplicate 1% --corrupt 0.1% \
        -- "$@" 2>"$name.err" | same_digest "$name over a bad link" "$want"
}
# They wait for round trips, not for each other.
fetch curl curl -sS "http://192.0.2.80/bytes/$size" >one &
fetch wget wget -q -O - "http://[2001:db8::80]/bytes/$size" >two &
fetch static ./fetch 192.0.2.80 80 "/bytes/$size" >three &
wait
cat one two three ./*.err

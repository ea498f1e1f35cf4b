#!/bin/sh
# The same bytes over a link that loses, delays, reorders, duplicates and corrupts: 100 MB by BBR,
# and 20 MB by CUBIC, of which 2 % of losses leave 2.5 Mbit/s.
# limit: 500
# run: background
# presets: release
set -u
. "$TERN_ROOT/tests/e2e/lib.sh"

build_static || exit 1

fetch() { # NAME CC SIZE COMMAND...
    name=$1 cc=$2 size=$3
    shift 3
    timeout 480 "$TERN" run -q --cc "$cc" \
        --loss 2% --delay 20ms --reorder 1% --duplicate 1% --corrupt 0.1% -- "$@" 2>"$name.err" |
        same_digest "$name over a bad link, $cc" "$(digest_of "$size")"
}
# They wait for round trips, not for each other.
many=100000000 few=20000000
fetch curl bbr $many curl -sS "http://192.0.2.80/bytes/$many" >one &
fetch wget bbr $many wget -q -O - "http://[2001:db8::80]/bytes/$many" >two &
fetch static cubic $few ./fetch 192.0.2.80 80 "/bytes/$few" >three &
wait
cat one two three ./*.err

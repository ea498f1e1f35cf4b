#!/bin/sh
# --cc: the congestion control that serve, connect and listen are told to use is what their
# connections have, as `tern ss -i` says.
#
# run: background
# limit: 200
# presets: release
set -u
# shellcheck source=tests/e2e/kernel-common.sh
. "$TERN_ROOT/tests/e2e/kernel-common.sh"

export XDG_RUNTIME_DIR="$TMPDIR/runtime"
mkdir -m 700 "$XDG_RUNTIME_DIR"

used() { "$TERN" ss -in | grep -q " $1 rto:"; } # CONTROL: by an open connection
uses() {                                        # NAME CONTROL
    if until_ok used "$2"; then fine "$1"; else wrong "$1" "$("$TERN" ss -in 2>&1)"; fi
}

for control in cubic reno bbr dctcp; do
    # shellcheck disable=SC2086 # a list of options
    serve $both --cc $control
    curl -sS -o /dev/null --limit-rate 100k http://10.9.0.2/bytes/100000000 &
    transfer=$!
    uses "serve-$control" $control
    kill $transfer
    served "serve-$control-ends"
done

mkfifo up
sleep 100 >up & # holds the pipe open
idle=$!
interface 1500 cubic
"$peer" listen 0.0.0.0 5000 <up >got 2>/dev/null &
other=$!
listens 5000
# shellcheck disable=SC2086
"$TERN" connect $both --cc reno 10.9.0.1 5000 <up >got 2>/dev/null &
ours=$!
uses connect reno
kill $ours $other
wait $ours $other
# shellcheck disable=SC2086
"$TERN" listen $both --cc bbr 5000 <up >got 2>/dev/null &
ours=$!
until_ok sh -c "\"$TERN\" ss -ln | grep -q 5000"
"$peer" connect 10.9.0.2 5000 <up >got 2>/dev/null &
other=$!
uses listen bbr
kill $ours $other $idle
# shellcheck disable=SC2086
"$TERN" connect $both --cc vegas 10.9.0.1 1 2>said
has "another is refused" "must be cubic, reno, bbr, dctcp" said

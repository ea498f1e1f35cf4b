#!/bin/sh
# make run: three short acts, each a real program over tern's own TCP, without a network.
set -u
cd "$(dirname "$0")/.." || exit 2

tern=build/tern
if ! $tern help run >/dev/null 2>&1; then
    $tern help
    exit 0
fi

act() { # TITLE EXPECTED-STATUS COMMAND...
    printf '\n== %s\n   %s\n\n' "$1" "$(shift 2; echo "$*")"
    expected=$2
    shift 2
    "$@"
    status=$?
    if [ "$status" != "$expected" ]; then
        echo "exit status $status where $expected was expected" >&2
        exit 1
    fi
}

act "A page, fetched over a link of 10 ms" 0 \
    $tern run --delay 10ms -- curl -sS http://192.0.2.80/
act "The same, with the first SYN-ACK lost" 0 \
    $tern run --delay 10ms --drop synack:1 -- curl -sS http://192.0.2.80/
act "A port where nobody listens" 7 \
    $tern run --delay 10ms -- curl -sS http://192.0.2.80:81/

printf '\nNext: %s\n      %s\n' "build/tern help run" \
    "build/tern run --loss 2% -- curl -o /dev/null http://192.0.2.80/bytes/1000000"

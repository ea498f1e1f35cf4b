#!/bin/sh
# Linux without SACK, without timestamps or without window scaling, and without all three: data
# still passes both ways, and neither side uses what the other has not agreed to.
#
# run: background
# limit: 200
set -u
# shellcheck source=tests/e2e/kernel-common.sh
. "$TERN_ROOT/tests/e2e/kernel-common.sh"

head -c $((size / 10)) /dev/urandom >data

# What was agreed with Linux, as the page says: scaling sack timestamps
negotiated() { # HOST
    curl -sS --max-time 10 "http://$1/" >page
    ! grep -q 'windows scaled by 2^[1-9]' page || printf 'scaling '
    ! grep -q 'selective acknowledgements yes' page || printf 'sack '
    ! grep -q 'timestamps yes' page || printf 'timestamps '
}

both_ways() { # NAME EXPECTED FAMILY
    linux=10.9.0.1 any=0.0.0.0 url=10.9.0.2
    if [ "$3" = 6 ]; then
        linux=fd00:9::1 any=:: url='[fd00:9::2]'
    fi
    # shellcheck disable=SC2086 # a list of options
    serve $both
    same "$1-ip$3" "$2" "$(negotiated "$url")"
    curl -sS --max-time 60 -T data "http://$url/echo" | identical "$1-ip$3-server" data -
    served "$1-ip$3-served"
    "$peer" listen $any 5000 <data >got-up &
    listener=$!
    listens 5000
    # shellcheck disable=SC2086
    "$TERN" connect $both $linux 5000 <data >got-down
    same "$1-ip$3-client-status" 0 $?
    wait $listener
    identical "$1-ip$3-client-up" data got-up
    identical "$1-ip$3-client-down" data got-down
}

try() { # NAME EXPECTED SACK TIMESTAMPS WINDOW_SCALING
    set_tcp sack "$3"
    set_tcp timestamps "$4"
    set_tcp window_scaling "$5"
    both_ways "$1" "$2" 4
    both_ways "$1" "$2" 6
}

try all "scaling sack timestamps " 1 1 1
try no-sack "scaling timestamps " 0 1 1
try no-timestamps "scaling sack " 1 0 1
try no-window-scaling "sack timestamps " 1 1 0
try none "" 0 0 0

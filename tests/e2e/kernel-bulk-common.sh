# kernel-bulk-common.sh - sourced by kernel-bulk-*.sh: tern and Linux carry much data to each other,
# each way at once, byte for byte: every MTU, offload on and off, against two congestion controls.
# shellcheck shell=sh
set -u
# shellcheck source=tests/e2e/kernel-common.sh
. "$TERN_ROOT/tests/e2e/kernel-common.sh"

head -c $size /dev/urandom >up
head -c $size /dev/urandom >down

options() { # MTU FAMILY OFFLOAD: the options of a tern of that family
    case $2 in
    4) echo "--tun t0 --address 10.9.0.2/24 --mtu $1 --offload $3" ;;
    6) echo "--tun t0 --address fd00:9::2/64 --mtu $1 --offload $3" ;;
    esac
}

# A client of Linux, to tern serve, which sends back what it gets.
linux_to_tern() { # MTU FAMILY OFFLOAD
    # shellcheck disable=SC2046 # a list of options
    serve $(options "$@")
    host=10.9.0.2
    [ "$2" = 4 ] || host='[fd00:9::2]'
    curl -sS --max-time 60 -T up "http://$host/echo" | identical "linux-to-tern-$1-ip$2-$3" up -
    served "served-$1-ip$2-$3"
}

# tern connect, to a server of Linux. Both send all they have, then close their direction.
tern_to_linux() { # MTU FAMILY OFFLOAD
    host=10.9.0.1 any=0.0.0.0
    [ "$2" = 4 ] || host=fd00:9::1 any=::
    "$peer" listen $any 5000 <down >got-up &
    listener=$!
    listens 5000
    # shellcheck disable=SC2046 # a list of options
    "$TERN" connect $(options "$@") $host 5000 <up >got-down
    same "tern-to-linux-$1-ip$2-$3-status" 0 $?
    wait $listener
    identical "tern-to-linux-$1-ip$2-$3-up" up got-up
    identical "tern-to-linux-$1-ip$2-$3-down" down got-down
}

# every linux_to_tern|tern_to_linux FAMILY
every() {
    control=cubic
    for mtu in 576 1280 1500 9000; do
        [ "$mtu$2" != 5766 ] || continue
        for offload in auto none; do
            interface $mtu $control
            "$1" $mtu "$2" $offload
            [ $control = cubic ] && control=reno || control=cubic
        done
    done
}

# kernel-common.sh - sourced by kernel-*.sh: tern and Linux as the two hosts of one network.
#
# Each script moves into a network namespace of its own, which goes when its last process has. In it
# tern has 10.9.0.2 and fd00:9::2 on the TUN interface t0, the kernel 10.9.0.1 and fd00:9::1.
# shellcheck shell=sh disable=SC2034 # what it sets is for the scripts

if [ -z "${KERNEL_NAMESPACE-}" ]; then
    as_root=
    [ "$(id -u)" = 0 ] || as_root=-r
    if ! unshare $as_root -n -m sh -c ': <>/dev/net/tun' 2>/dev/null; then
        echo "skip $(basename "$0" .sh) - no right to make a namespace, or to open /dev/net/tun"
        exit 0
    fi
    # shellcheck disable=SC2093 # what follows runs in the namespace
    KERNEL_NAMESPACE=1 exec unshare $as_root -n -m --propagation private "$0"
fi

fine() { echo "ok $1"; }
wrong() { echo "not ok $1 - $2"; }
# same NAME EXPECTED GOT
same() { if [ "$2" = "$3" ]; then fine "$1"; else wrong "$1" "expected $2, got $3"; fi; }
# has NAME TEXT FILE
has() { if grep -qF -e "$2" "$3"; then fine "$1"; else wrong "$1" "no '$2' in: $(cat "$3")"; fi; }

# until COMMAND...: waits for it to succeed, 10 s at most.
until_ok() {
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 500 ] || return 1
        sleep 0.02
    done
}

size=100000000
[ "$TERN_PRESET" = release ] || size=2000000

# Byte for byte what was sent? identical NAME SENT GOT
identical() {
    if cmp "$2" "$3" >differs 2>&1; then fine "$1"; else wrong "$1" "$(cat differs)"; fi
}
# Settings of the kernel's TCP: set_tcp NAME VALUE
set_tcp() { echo "$2" >"/proc/sys/net/ipv4/tcp_$1"; }

both="--tun t0 --address 10.9.0.2/24 --address fd00:9::2/64"

# Starts tern serve in the background and waits until it serves: serve OPTION...
serve() {
    : >serve.log
    # shellcheck disable=SC2086 # a list of options
    "$TERN" serve "$@" 2>serve.log &
    server=$!
    until_ok grep -q http:// serve.log || wrong serve "it does not: $(cat serve.log)"
}
# Ends it: served NAME
served() {
    kill -INT "$server"
    wait "$server"
    same "$1" 0 $?
}

# Waits until Linux listens: listens PORT
listens() { until_ok sh -c "ss -Hltn 'sport = :$1' | grep -q ."; }

# Linux's end of a connection: "$peer" listen|connect HOST PORT
peer=$TERN_ROOT/tests/e2e/kernel-peer

# An interface that outlives tern, for what must be arranged before tern is there: the congestion
# control (which a namespace may not choose, but a route may).
interface() { # MTU CONTROL
    ip link del t0 2>/dev/null
    ip tuntap add dev t0 mode tun
    ip link set t0 up mtu "$1"
    ip addr add 10.9.0.1/24 dev t0
    ip route replace 10.9.0.0/24 dev t0 src 10.9.0.1 congctl "$2"
    if [ "$1" -ge 1280 ]; then
        ip addr add fd00:9::1/64 dev t0 nodad
        ip route del fd00:9::/64 dev t0
        ip route add fd00:9::/64 dev t0 congctl "$2"
    fi
}

ip link set lo up

#!/bin/sh
# What tern says when it cannot have its TUN interface, or loses it: which of the many reasons it
# is, and what to do about it.
#
# run: background
#
# shellcheck disable=SC2086 # "four" and "unprivileged" are lists of words
set -u
# shellcheck source=tests/e2e/kernel-common.sh
. "$TERN_ROOT/tests/e2e/kernel-common.sh"

four="--tun t0 --address 10.9.0.2/24"
# The command where nobody in particular may run it.
cp "$TERN" tern
chmod 755 . tern

# says NAME STATUS TEXT COMMAND...: it ends with that status and says the text.
says() {
    name=$1 status=$2 text=$3
    shift 3
    timeout 20 "$@" >said 2>&1 </dev/null
    same "$name-status" "$status" $?
    has "$name" "$text" said
}
unprivileged="setpriv --reuid=65534 --regid=65534 --clear-groups"

# ---- asked for what cannot be --------------------------------------------------------------------

says no-interface 2 "--tun is missing" "$TERN" serve --address 10.9.0.2/24
says no-address 2 "--address is missing" "$TERN" serve --tun t0
says no-prefix 2 "such as 10.9.0.2/24" "$TERN" serve --tun t0 --address 10.9.0.2
says long-name 1 "no name for an interface" \
    "$TERN" serve --tun sixteen-letters-- --address 10.9.0.2/24
says small-mtu-ip6 1 "at least 1280 for IPv6" \
    "$TERN" serve --tun t0 --address fd00:9::2/64 --mtu 1279
says no-user 1 "nobody-like-that" "$TERN" serve $four --user nobody-like-that
says no-room 1 "no other address in that network" "$TERN" serve --tun t0 --address 10.9.0.2/32
for cap in tun_tso tun_checksum; do
    offload=${cap#tun_}
    says "no-offload-$offload" 1 "the kernel does not offload" \
        env TERN_DISABLE=$cap "$TERN" serve $four --offload "$offload"
done

# ---- the ladder ----------------------------------------------------------------------------------

# ladder NAME TEXT DISABLED
ladder() {
    export TERN_DISABLE="$3"
    serve $four
    same "ladder-$1" "$2" "$(sed 's/.*offload: //' serve.log)"
    curl -sS --max-time 10 http://10.9.0.2/bytes/100000 >got
    same "ladder-$1-works" 100000 "$(wc -c <got)"
    served "ladder-$1-served"
    unset TERN_DISABLE
}
ladder tso "segmentation of TCP" tun_uso
ladder checksum "checksums" tun_uso,tun_tso
ladder nothing "nothing" tun_uso,tun_tso,tun_checksum

# ---- interfaces of others ------------------------------------------------------------------------

ip tuntap add dev tap0 mode tap
says tap 1 "tap0: that interface is no TUN device" "$TERN" serve --tun tap0 --address 10.9.0.2/24

serve $four
says busy 1 "t0: another program uses that interface" "$TERN" serve $four
ip link del t0
wait $server
same removed-status 1 $?
has removed "t0: the interface was removed" serve.log

ip tuntap add dev t0 mode tun
: >serve.log
"$TERN" serve $four 2>serve.log &
server=$!
until_ok grep -q http:// serve.log
has down "t0 is down" serve.log
ip link set t0 up
ip addr add 10.9.0.1/24 dev t0
curl -sS --max-time 10 http://10.9.0.2/bytes/1000 >got
same down-then-up 1000 "$(wc -c <got)"
served down-served

# An interface made for several queues, and one that is this user's own.
ip link del t0
ip tuntap add dev t0 mode tun multi_queue
ip link set t0 up
serve $four
served several-queues
ip link del t0

# ---- rights --------------------------------------------------------------------------------------

# A /dev/net of our own, in this mount namespace.
if ! mount -t tmpfs none /dev/net; then
    echo "skip rights - no right to mount"
    exit 0
fi
says no-device 1 "/dev/net/tun: there is no such device" "$TERN" serve $four
if ! mknod -m 600 /dev/net/tun c 10 200 || ! $unprivileged ./tern --version >/dev/null; then
    echo "skip rights - no right to make a device, or to become another user"
    exit 0
fi
says no-right 1 "/dev/net/tun: no right to open it" $unprivileged ./tern serve $four
chmod 666 /dev/net/tun
says no-net-admin 1 "creating an interface needs CAP_NET_ADMIN" $unprivileged ./tern serve $four
ip tuntap add dev t0 mode tun user 1
says of-another-user 1 "t0: that interface is another user's" $unprivileged ./tern serve $four
ip link del t0
ip tuntap add dev t0 mode tun user 65534
ip link set t0 up
ip addr add 10.9.0.1/24 dev t0
: >serve.log
$unprivileged ./tern serve $four 2>serve.log &
server=$!
until_ok grep -q http:// serve.log
curl -sS --max-time 10 http://10.9.0.2/bytes/1000 >got
same of-this-user 1000 "$(wc -c <got)"
served of-this-user-served

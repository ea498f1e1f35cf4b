#!/bin/sh
# tern and Linux on one Ethernet (TAP): each finds the other by ARP and by Neighbour Discovery, and
# again after one has moved; data passes in super-packets and without; nobody at an address is an
# unreachable host.
#
# run: background
# limit: 200
#
# shellcheck disable=SC2086 # "both" is a list of options
set -u
# shellcheck source=tests/e2e/kernel-common.sh
. "$TERN_ROOT/tests/e2e/kernel-common.sh"

both="--tap t0 --address 10.9.0.2/24 --address fd00:9::2/64"
bytes=$((size / 10))

get() { curl -sS --max-time 20 "$@"; }
# The link-layer address Linux knows for that address of tern's: neighbour ADDRESS
neighbour() { ip neigh show to "$1" dev t0 | sed -n 's/.*lladdr \([0-9a-f:]*\).*/\1/p'; }

# ---- found, from either side ---------------------------------------------------------------------

serve $both
for host in 10.9.0.2 fd00:9::2; do
    "$peer" ping $host 100
    same "ping-$host" 0 $?
    neighbour $host >mac.$host
    has "found-$host" : mac.$host
done
identical one-address-for-both mac.10.9.0.2 mac.fd00:9::2
get http://10.9.0.2/bytes/$bytes | wc -c >got
same bytes-ip4 $bytes "$(cat got)"
get 'http://[fd00:9::2]/bytes/'$bytes | wc -c >got
same bytes-ip6 $bytes "$(cat got)"

# Linux forgets, and asks again; in the middle of a transfer, too.
get http://10.9.0.2/bytes/$bytes >got &
client=$!
for _ in 1 2 3 4 5; do
    ip neigh flush dev t0
    sleep 0.1
done
wait $client
same forgotten $bytes "$(wc -c <got)"

# Linux moves to another link-layer address: tern learns it, from Linux's own announcement or when
# nobody at the old one answers.
ip link set t0 address 02:00:00:00:00:99
get http://10.9.0.2/bytes/1000 >got
same moved-ip4 1000 "$(wc -c <got)"
get 'http://[fd00:9::2]/bytes/1000' >got
same moved-ip6 1000 "$(wc -c <got)"

# What is for somebody else on the Ethernet is not answered.
ip neigh replace 10.9.0.2 lladdr 02:11:22:33:44:55 dev t0 nud permanent
curl -sS --max-time 1 -o got http://10.9.0.2/ 2>said
same not-ours 28 $?
ip neigh del 10.9.0.2 dev t0
served served

# ---- tern asks -----------------------------------------------------------------------------------

head -c $bytes /dev/urandom >data
for offload in auto none; do
    for linux in 10.9.0.1 fd00:9::1; do
        any=0.0.0.0
        [ $linux = 10.9.0.1 ] || any=::
        "$peer" listen $any 5000 <data >got-up &
        listener=$!
        listens 5000
        "$TERN" connect $both --offload $offload $linux 5000 <data >got-down
        same "connect-$linux-$offload-status" 0 $?
        wait $listener
        identical "connect-$linux-$offload-up" data got-up
        identical "connect-$linux-$offload-down" data got-down
    done
done

# What is for elsewhere goes to Linux, which passes it on: here, to itself.
ip addr add 10.8.0.1/32 dev lo
ip addr add fd00:8::1/128 dev lo
for linux in 10.8.0.1 fd00:8::1; do
    any=0.0.0.0
    [ $linux = 10.8.0.1 ] || any=::
    "$peer" listen $any 5000 <data >got-up &
    listener=$!
    listens 5000
    "$TERN" connect $both $linux 5000 <data >got-down
    same "elsewhere-$linux-status" 0 $?
    wait $listener
    identical "elsewhere-$linux" data got-down
done

# Nobody answers three questions.
for nobody in 10.9.0.77 fd00:9::77; do
    timeout 30 "$TERN" connect $both $nobody 80 </dev/null 2>said
    same "nobody-$nobody-status" 1 $?
    has "nobody-$nobody" "No route to host" said
done

# ---- whose addresses they are, and what a router says --------------------------------------------

ip tuntap add dev t0 mode tap
ip link set t0 up
ip addr add fd00:9::7/64 dev t0 nodad
"$TERN_ROOT/tests/e2e/kernel-router" t0 2001:db8:5:: >router.log 2>&1 &
router=$!
serve --tap t0 --slaac --address fd00:9::2/64 --address fd00:9::7/64
until_ok grep -q "fd00:9::2/64: ready" serve.log
same free-address 0 $?
has taken-address "address fd00:9::7/64: somebody else has it" serve.log
until_ok grep -q "2001:db8:5:.*: ready" serve.log
same address-by-router 0 $?
ip addr add fd00:9::2/64 dev t0
until_ok sh -c 'ip -6 addr show dev t0 | grep fd00:9::2/64 | grep -q dadfailed'
same linux-hears-that-it-is-ours 0 $?
ip addr add 2001:db8:5::1/64 dev t0 nodad
ours=$(sed -n 's|.*address \(2001:db8:5:[0-9a-f:]*\)/64: ready|\1|p' serve.log)
"$peer" ping "$ours" 100
same ping-address-by-router 0 $?
url=$(sed -n 's|tern serve: \(http://.2001:db8:5:.*/\)$|\1|p' serve.log)
get -g "$url" >got
has url-of-address-by-router "this site is [$ours]" got
url=$(sed -n 's|tern serve: \(http://.fe80.*/\)$|\1|p' serve.log)
get -g "$url" >got
has url-of-link-local-address "this site is [fe80:" got
served served-slaac

# Without an address of its own; who connects waits until there is one.
serve --tap t0 --slaac
until_ok grep -q "http://.2001:db8:5:" serve.log
same no-address-given 0 $?
served served-slaac-alone
for options in --slaac "--dad --address fd00:9::3/64 --address 10.9.0.3/24"; do
    "$peer" listen :: 5000 <data >got-up &
    listener=$!
    listens 5000
    "$TERN" connect --tap t0 $options fd00:9::7 5000 <data >got-down 2>said
    same "connect${options%% *}" 0 $?
    wait $listener
    identical "connect${options%% *}-up" data got-up
done
kill $router
ip link del t0

# ---- names ---------------------------------------------------------------------------------------

"$TERN" serve --tun t0 $both 2>said
same tun-and-tap-status 2 $?
has tun-and-tap "either --tun or --tap" said
ip tuntap add dev tun0 mode tun
"$TERN" serve --tap tun0 --address 10.9.0.2/24 2>said
same tun-is-no-tap-status 1 $?
has tun-is-no-tap "tun0: that interface is no TAP device" said

#!/bin/sh
# How connections between tern and Linux fail and end: refused, unreachable, killed in the middle of
# a transfer, half closed, each from either side.
#
# run: background
# limit: 120
#
# shellcheck disable=SC2086 # "both" is a list of options
set -u
# shellcheck source=tests/e2e/kernel-common.sh
. "$TERN_ROOT/tests/e2e/kernel-common.sh"

# fails NAME TEXT OPERAND...: tern connect ends with status 1 and says TEXT.
fails() {
    name=$1 text=$2
    shift 2
    "$TERN" connect $both "$@" </dev/null >out 2>said
    same "$name-status" 1 $?
    has "$name" "$text" said
}
# Waits until Linux's end is in that state: in_state STATE
in_state() { until_ok sh -c "ss -Htn state $1 | grep -q 10.9.0.2"; }

# ---- nobody there --------------------------------------------------------------------------------

fails refused-by-linux-ip4 "10.9.0.1 port 81: Connection refused" 10.9.0.1 81
fails refused-by-linux-ip6 "fd00:9::1 port 81: Connection refused" fd00:9::1 81
fails no-such-host "tern connect: no.such.host.invalid port 81:" no.such.host.invalid 81

interface 1500 cubic
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
ip route add unreachable 10.8.0.0/24
fails host-unreachable-ip4 "No route to host" 10.8.0.1 80
fails network-unreachable-ip4 "Network is unreachable" 10.7.0.1 80
fails network-unreachable-ip6 "Network is unreachable" fd00:7::1 80

serve $both
for host in 10.9.0.2 '[fd00:9::2]'; do
    curl -s --max-time 5 "http://$host:81/"
    same "refused-by-tern-$host" 7 $?
    curl -s --connect-timeout 0.5 "http://$host:82/"
    same "silent-$host" 28 $?
done
curl -s --max-time 5 -o /dev/null http://10.9.0.2/reset
same reset-by-tern 56 $?

# ---- killed --------------------------------------------------------------------------------------

# A client of Linux goes; tern serves others as if nothing had been.
rm -f begun
curl -s http://10.9.0.2/bytes/100000000000 >begun &
victim=$!
until_ok test -s begun
kill -KILL $victim
wait $victim 2>/dev/null
curl -sS --max-time 5 http://10.9.0.2/bytes/1000000 >got
same linux-client-killed 1000000 "$(wc -c <got)"

# tern serve goes, properly: its connections are reset.
rm -f begun
curl -s http://10.9.0.2/bytes/100000000000 >begun &
victim=$!
until_ok test -s begun
served tern-server-ended
wait $victim
same tern-server-ended-resets 56 $?

# tern serve goes without a word, and starts anew: whoever still sends is reset.
serve $both
rm -f begun
curl -s --max-time 30 -T /dev/zero http://10.9.0.2/echo >begun &
victim=$!
until_ok test -s begun
kill -KILL $server
wait $server 2>/dev/null
serve $both
wait $victim
status=$?
case $status in
55 | 56) fine tern-server-killed ;;
*) wrong tern-server-killed "curl ended with $status" ;;
esac
served tern-server-started-anew

# A server of Linux goes while tern sends to it.
rm -f begun
"$peer" listen 0.0.0.0 5000 </dev/null >begun &
victim=$!
listens 5000
"$TERN" connect $both 10.9.0.1 5000 </dev/zero >/dev/null 2>said &
client=$!
until_ok test -s begun
kill -KILL $victim
wait $victim 2>/dev/null
wait $client
same linux-server-killed-status 1 $?
has linux-server-killed "10.9.0.1 port 5000: Connection reset by peer" said

# tern connect goes by a signal: its peer sees the end (in CLOSE-WAIT Linux calls a reset EPIPE),
# and its status is the signal's.
"$peer" listen 0.0.0.0 5000 </dev/zero >/dev/null 2>said &
listener=$!
listens 5000
rm -f begun
"$TERN" connect $both 10.9.0.1 5000 </dev/null >begun &
client=$!
until_ok test -s begun
kill -TERM $client
wait $client
same tern-client-ended 143 $?
wait $listener
has tern-client-ended-resets EPIPE said

# ---- half closes ---------------------------------------------------------------------------------

printf 'later\n' >late
# What the other side has to say, once Linux is in that state: late_in STATE
late_in() {
    in_state "$1" && echo yes >"$1"
    cat late
}
tern_listens() { until_ok grep -q "port 7000 on" listen.log; }

# Linux closes first.
rm -f listen.log
late_in fin-wait-2 | "$TERN" listen -v $both 7000 >out 2>listen.log &
client=$!
tern_listens
echo early | "$peer" connect 10.9.0.2 7000 >got
wait $client
same half-close-by-linux-status 0 $?
same half-close-by-linux yes "$(cat fin-wait-2)"
identical half-close-by-linux-then-tern late got
echo early | identical half-close-by-linux-before - out

# tern closes first.
late_in close-wait | "$peer" listen 0.0.0.0 5000 >got &
other=$!
listens 5000
echo early | "$TERN" connect $both 10.9.0.1 5000 >out
same half-close-by-tern-status 0 $?
wait $other
same half-close-by-tern yes "$(cat close-wait)"
identical half-close-by-tern-then-linux late out
echo early | identical half-close-by-tern-before - got

# ---- the manners of nc ---------------------------------------------------------------------------

# An input that stays open until the file `enough` is there.
not_enough() {
    rm -f enough
    until_ok test -e enough
    cat late
}

# Nobody else may come once one has.
rm -f listen.log
not_enough | "$TERN" listen -v $both 7000 >out 2>listen.log &
client=$!
tern_listens
"$peer" connect 10.9.0.2 7000 </dev/null >got &
other=$!
until_ok grep -q "connection from 10.9.0.1" listen.log
"$peer" connect 10.9.0.2 7000 </dev/null 2>said
has only-one-is-taken ECONNREFUSED said
touch enough
wait $client $other
identical only-one-is-taken-and-served late got

# The peer's end is the reader's end, while the other direction stays open.
"$peer" listen 0.0.0.0 5000 <late >got &
other=$!
listens 5000
not_enough | "$TERN" connect $both 10.9.0.1 5000 | {
    cat >out
    in_state fin-wait-2 && echo yes >ended
} &
until_ok test -s ended
same end-of-output yes "$(cat ended)"
identical end-of-output-after late out
touch enough
wait $other
identical end-of-output-then-input late got

# Nobody reads the output any more.
"$peer" listen 0.0.0.0 5000 </dev/zero >/dev/null 2>&1 &
other=$!
listens 5000
{
    "$TERN" connect $both 10.9.0.1 5000 </dev/null 2>said
    echo $? >status
} | head -c 100 >/dev/null
wait $other
same broken-pipe-status 1 "$(cat status)"
has broken-pipe "standard output: Broken pipe" said

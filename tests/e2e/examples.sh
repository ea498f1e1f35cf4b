#!/bin/sh
# examples/echo.c, hence loop.c as well, with the kernel as its client; cc.c on its own.
# presets: release
set -u

cmake --build "$TERN_BUILD" --target example_cc >build.log 2>&1 || {
    echo "not ok cc builds"
    cat build.log
    exit 1
}
# NAME 4 MB in SECONDS s, a window of SEGMENTS segments, round trip MS ms, now MS
timeout 20 "$TERN_BUILD/tests/examples/cc" >cc.log
status=$?
if [ "$status" = 0 ] && awk '{ took[$1] = $5; window[$1] = $10; rtt[$1] = $14; now[$1] = $17 }
    END { for (cc in took) if (took[cc] < 1.6 || took[cc] > 2) exit 1
          exit !(NR == 2 && now["polite"] > rtt["polite"] && now["cubic"] > 2 * rtt["cubic"] &&
                 now["polite"] < 1.7 * rtt["polite"] && window["polite"] < window["cubic"] / 2) }' \
    cc.log
then
    echo "ok a congestion control of one's own: as fast as CUBIC, with a third of its queue"
else
    echo "not ok a congestion control of one's own - $status: $(cat cc.log)"
fi

if [ "$(id -u)" != 0 ] || [ ! -c /dev/net/tun ]; then
    echo "skip echo over TUN - needs root and /dev/net/tun"
    exit 0
fi
ns=tern-example-$$
cleanup() {
    [ -n "${pid-}" ] && kill "$pid" 2>/dev/null
    ip netns delete "$ns" 2>/dev/null
}
trap cleanup EXIT

cmake --build "$TERN_BUILD" --target example_echo >build.log 2>&1 || {
    echo "not ok echo builds"
    cat build.log
    exit 1
}
ip netns add "$ns" &&
    ip -n "$ns" tuntap add mode tun tern0 &&
    ip -n "$ns" addr add 10.9.0.1/24 dev tern0 &&
    ip -n "$ns" link set tern0 up || exit 1
ip netns exec "$ns" "$TERN_BUILD/tests/examples/echo" tern0 10.9.0.2 &
pid=$!
sleep 0.3

head -c 3000000 /dev/urandom >sent
if timeout 20 ip netns exec "$ns" nc -N 10.9.0.2 7 <sent >back && cmp -s sent back; then
    echo "ok 3 MB come back"
else
    echo "not ok 3 MB come back - $(wc -c <back) bytes did"
fi
for i in 1 2 3 4 5 6 7 8; do
    echo "line $i" | timeout 5 ip netns exec "$ns" nc -N 10.9.0.2 7 >"back.$i" &
    clients="${clients-} $!"
done
# shellcheck disable=SC2086
wait $clients
if [ "$(cat back.? | sort)" = "$(for i in 1 2 3 4 5 6 7 8; do echo "line $i"; done)" ]; then
    echo "ok eight clients at once"
else
    echo "not ok eight clients at once - $(cat back.?)"
fi
if kill -0 "$pid"; then
    echo "ok it goes on"
else
    echo "not ok it goes on"
fi

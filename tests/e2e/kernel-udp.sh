#!/bin/sh
# UDP between tern and Linux, from either side: datagrams in one packet and in fragments, offloads
# on and off, ICMP's refusal in both directions, and echo requests larger than a packet.
#
# run: background
# limit: 100
#
# shellcheck disable=SC2086 # "both" is a list of options
set -u
# shellcheck source=tests/e2e/kernel-common.sh
. "$TERN_ROOT/tests/e2e/kernel-common.sh"

interface 1500 reno
ip link set lo up

# Linux's end: what comes goes back, its lengths to a file: echo HOST PORT
cat >echo.py <<'END'
import socket, sys
sock = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((sys.argv[1], int(sys.argv[2])))
sock.settimeout(20)
print("ready", flush=True)
while True:
    data, peer = sock.recvfrom(65535)
    print(len(data), flush=True)
    sock.sendto(data, peer)
END
# One datagram of each length, which must come back: ask HOST PORT LENGTH...
cat >ask.py <<'END'
import os, socket, sys
sock = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
sock.connect((sys.argv[1], int(sys.argv[2])))
sock.settimeout(10)
for length in map(int, sys.argv[3:]):
    data = os.urandom(length)
    sock.send(data)
    if sock.recv(65535) != data:
        sys.exit("%d bytes came back otherwise" % length)
END

head -c 100000 /dev/urandom >data # seven datagrams of up to 16,384 bytes
for offload in auto none; do
    for linux in 10.9.0.1 fd00:9::1; do
        : >echoed
        python3 echo.py $linux 5000 >echoed 2>&1 &
        server=$!
        until_ok grep -q ready echoed
        : >back # (its input stays open until all is back: a busy machine may be quiet for a second)
        { cat data; until_ok cmp -s data back; } |
            timeout 30 "$TERN" connect --udp $both --offload $offload $linux 5000 >back 2>said
        same "there-and-back-$linux-$offload-status" 0 $?
        identical "there-and-back-$linux-$offload" data back
        same "datagrams-$linux-$offload" 16384 "$(sed -n 2p echoed)"
        kill $server
        wait $server 2>/dev/null
    done
done

# Linux asks: tern answers with its standard input, which here is what it has heard.
for tern in 10.9.0.2 fd00:9::2; do
    mkfifo loop.$tern
    : >said
    timeout 60 "$TERN" listen --udp -v $both 5000 <>loop.$tern >loop.$tern 2>said &
    server=$!
    until_ok grep -q "UDP port" said
    python3 ask.py $tern 5000 1 100 1472 1473 8000 16384 2>wrong
    same "asked-$tern" "" "$(cat wrong)"
    kill -INT $server
    wait $server 2>/dev/null

    # Nobody is at the next port: Linux's program is told, and so is tern's.
    "$TERN" listen $both 80 </dev/null >/dev/null 2>said &
    server=$!
    until_ok "$peer" ping $tern 10
    python3 ask.py $tern 5001 10 2>wrong
    has "refused-by-$tern" "ConnectionRefusedError" wrong
    # an echo in fragments
    "$peer" ping $tern 9000
    same "large-echo-$tern" 0 $?
    kill -INT $server
    wait $server 2>/dev/null
done
for linux in 10.9.0.1 fd00:9::1; do
    (echo x; sleep 1; echo x; sleep 1) | timeout 20 "$TERN" connect --udp $both $linux 5001 2>said
    same "refused-by-$linux-status" 1 $?
    has "refused-by-$linux" "Connection refused" said
done

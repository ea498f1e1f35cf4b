#!/bin/sh
# Options whose effect takes its time, on programs under tern run: SO_MAX_PACING_RATE and
# TCP_DEFER_ACCEPT.
# limit: 60
# run: background
# presets: release
set -u
. "$TERN_ROOT/tests/e2e/lib.sh"

cat >pace.py <<'EOF'
import socket, sys, time
s = socket.create_connection(("192.0.2.80", 80))
if len(sys.argv) > 1:
    s.setsockopt(socket.SOL_SOCKET, 47, int(sys.argv[1]))  # SO_MAX_PACING_RATE
    assert s.getsockopt(socket.SOL_SOCKET, 47) == int(sys.argv[1])
start = time.monotonic()
s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n" + bytes(400000))
s.recv(1)
print(int(1000 * (time.monotonic() - start)))
EOF
timeout 30 "$TERN" run -q -- python3 pace.py >free 2>err
timeout 30 "$TERN" run -q -- python3 pace.py 500000 >paced 2>>err
free=$(cat free) paced=$(cat paced)
[ "${free:-9999}" -lt 500 ]
verdict "400 kB without a limit" $? "$free ms; $(tail -n 1 err)"
[ "${paced:-0}" -ge 700 ] && [ "$paced" -lt 3000 ]
verdict "SO_MAX_PACING_RATE: 400 kB at 500 kB/s" $? "$paced ms; $(tail -n 1 err)"

# The listener is not readable, and nobody is accepted, before there is something to read.
cat >defer.py <<'EOF'
import select, socket, sys, time
deferred = int(sys.argv[1])
l = socket.socket()
l.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, deferred)
l.bind(("0.0.0.0", 7000))
l.listen(4)
c = socket.create_connection(("127.0.0.1", 7000))
before = select.select([l], [], [], 0.4)[0] != []
c.sendall(b"now")
after = select.select([l], [], [], 10)[0] != []
a, _ = l.accept()
print("before" if before else "not before", "after" if after else "not after", a.recv(10).decode())
EOF
is() { # NAME WANTED GOT
    [ "$2" = "$3" ]
    verdict "$1" $? "'$3', not '$2'; $(tail -n 1 err)"
}
is "without TCP_DEFER_ACCEPT" "before after now" \
    "$(timeout 30 "$TERN" run -q -- python3 defer.py 0 2>err)"
is "TCP_DEFER_ACCEPT: accepted with the first data" "not before after now" \
    "$(timeout 30 "$TERN" run -q -- python3 defer.py 20 2>err)"

# Who stays silent is accepted in the end, and who closes at once.
cat >silent.py <<'EOF'
import select, socket, sys, time
l = socket.socket()
l.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, int(sys.argv[1]))
l.bind(("0.0.0.0", 7000))
l.listen(4)
c = socket.create_connection(("127.0.0.1", 7000))
start = time.monotonic()
if sys.argv[2] == "close":
    c.close()
a, _ = l.accept()
took = time.monotonic() - start
print("accepted after a second" if 0.9 < took < 5 else "accepted" if took < 0.9 else took)
EOF
is "TCP_DEFER_ACCEPT: 1 s of silence" "accepted after a second" \
    "$(timeout 30 "$TERN" run -q -- python3 silent.py 1 wait 2>err)"
is "TCP_DEFER_ACCEPT: closed without a word" "accepted" \
    "$(timeout 30 "$TERN" run -q -- python3 silent.py 20 close 2>err)"

#!/bin/sh
# What programs are told when connecting fails; bad programs and bad options; exit statuses.
# limit: 200
# run: background
set -u
. "$TERN_ROOT/tests/e2e/lib.sh"

run() { timeout 60 "$TERN" run -q "$@"; }

is() { # NAME WANTED GOT
    [ "$2" = "$3" ]
    verdict "$1" $? "'$3', not '$2'"
}

says() { # NAME STATUS PATTERN COMMAND...: its status, and what it says on standard error
    name=$1 want=$2 pattern=$3
    shift 3
    timeout 60 "$@" >out 2>err
    status=$?
    if [ $status != "$want" ]; then
        echo "not ok $name - status $status, not $want: $(tail -n 3 err)"
    elif [ -n "$pattern" ] && ! grep -q -e "$pattern" err; then
        echo "not ok $name - it says: $(tail -n 3 err)"
    else
        echo "ok $name"
    fi
}

# ---- connect() and SO_ERROR ----------------------------------------------------------------------

cat >connect.py <<'EOF'
import errno, select, socket, sys
host, port, way = sys.argv[1], int(sys.argv[2]), sys.argv[3]
s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
if way == "blocking":
    err = 0
    try:
        s.connect((host, port))
        if len(sys.argv) > 4:
            s.sendall(b"GET /reset HTTP/1.0\r\n\r\n")
            while s.recv(100000):
                pass
    except OSError as e:
        err = e.errno
else:
    s.setblocking(False)
    err = s.connect_ex((host, port))
    if err == errno.EINPROGRESS:
        select.select([], [s], [], 30)
        err = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
print(errno.errorcode.get(err, "none"))
EOF
for way in blocking later; do
    for host in 192.0.2.80 2001:db8::80; do
        is "refused, $host, $way" ECONNREFUSED "$(run -- python3 connect.py $host 81 $way)"
        is "silent, $host, $way" ETIMEDOUT \
            "$(run --syn-retries 0 -- python3 connect.py $host 82 $way)"
    done
    is "refused by the host, $way" ECONNREFUSED "$(run -- python3 connect.py 127.0.0.1 1 $way)"
done
is "reset in mid-transfer" ECONNRESET "$(run -- python3 connect.py 192.0.2.80 80 blocking reset)"
# An address the host cannot reach: in a namespace whose router says so.
if [ "$(id -u)" = 0 ]; then
    ns=tern-run-$$
    ip netns add $ns && ip -n $ns link set lo up &&
        ip -n $ns route add unreachable 198.51.100.0/24 &&
        ip -n $ns route add unreachable 2001:db8:5::/48 dev lo
    inside() { timeout 20 ip netns exec $ns "$TERN" run -q -- python3 connect.py "$@"; }
    for way in blocking later; do
        is "unreachable, $way" EHOSTUNREACH "$(inside 198.51.100.1 80 $way)"
        is "unreachable, IPv6, $way" EHOSTUNREACH "$(inside 2001:db8:5::1 80 $way)"
    done
    ip netns delete $ns
else
    echo "skip unreachable - needs root, for a network namespace"
fi

# ---- programs ------------------------------------------------------------------------------------

says "no such program" 127 'nosuchprogram' "$TERN" run -q -- nosuchprogram
says "not a program" 126 'connect.py' "$TERN" run -q -- ./connect.py
says "a status is passed on" 7 '' "$TERN" run -q -- sh -c 'exit 7'
says "so is a signal" 139 '' sh -c "$TERN run -q -- sh -c 'kill -SEGV \$\$'; exit \$?"
says "under another tern run" 125 'already under tern run' \
    "$TERN" run -q -- "$TERN" run -q -- true
cat >storm.py <<'EOF'
import signal, socket, sys
hits = 0
def hit(*_):
    global hits
    hits += 1
signal.signal(signal.SIGURG, hit)
signal.signal(signal.SIGALRM, hit)
signal.siginterrupt(signal.SIGALRM, True)
signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
def again(call, *args):
    # EINTR is what a handler without SA_RESTART asks for; the same call, again, must go on
    while True:
        try:
            return call(*args)
        except InterruptedError:
            pass
n = 0
for i in range(20):
    c = again(socket.socket)
    # connect() may be interrupted before tern saw it: then poll() finds the socket unconnected
    while True:
        c.connect(("192.0.2.80", 80))
        try:
            again(c.getpeername)
            break
        except OSError:
            pass
    c.sendall(b"GET /bytes/100000 HTTP/1.0\r\n\r\n")
    while d := c.recv(65536):
        n += len(d)
    again(c.close)
signal.setitimer(signal.ITIMER_REAL, 0)
print(n > 2000000, hits > 5)
EOF
is "a storm of signals" "True True" "$(run --delay 10ms -- python3 storm.py 2>&1)"
cat >many.py <<'EOF'
import socket
all = [socket.create_connection(("192.0.2.80", 80)) for i in range(1000)]
for c in all:
    c.sendall(b"GET /bytes/1000 HTTP/1.0\r\n\r\n")
n = 0
for c in all:
    while d := c.recv(4096):
        n += len(d)
print(n > 1000000)
EOF
# shellcheck disable=SC3045 # Debian's sh has it
is "1,000 connections" True "$(ulimit -n 4096; run -- python3 many.py)"
daemon='(sleep 0.5; curl -s -o /dev/null http://192.0.2.80/ && echo done >daemon) & exit 0'
is "a daemon goes on" 'done' "$(run -- sh -c "$daemon"; cat daemon)"

# ---- options -------------------------------------------------------------------------------------

says "loss of 150%" 2 '0% to 100%' "$TERN" run --loss 150% -- true
says "a negative delay" 2 'delay' "$TERN" run --delay=-1s -- true
says "no unit" 2 'such as 40ms' "$TERN" run --delay 40 -- true
says "an MTU of 100" 2 '576 to 65535' "$TERN" run --mtu 100 -- true
says "a kind there is not" 2 'syn, synack' "$TERN" run --drop fun -- true
says "an unknown option" 2 'did you mean --loss' "$TERN" run --los 1% -- true
says "no program" 2 'usage' "$TERN" run
says "a port that is taken" 125 'in use' sh -c \
    "exec python3 -c '
import socket, subprocess, sys
l = socket.socket(); l.bind((\"127.0.0.1\", 0)); l.listen()
sys.exit(subprocess.call([\"$TERN\", \"run\", \"-q\", \"--publish\",
                          \"127.0.0.1:%d=80\" % l.getsockname()[1], \"--\", \"true\"]))'"
says "a capture that cannot be made" 125 'No such file' \
    "$TERN" run -q --pcapng /nonexistent/f -- true
says "a full disk" 0 'No space left' "$TERN" run -q --pcapng /dev/full -- \
    curl -s -o /dev/null http://192.0.2.80/bytes/5000000

#!/bin/sh
# limit: 150
# run: background
# tern serve under a flood: its options hold, and tern ss tells what happens, in its own network.
set -u

fine() { echo "ok $1"; }
wrong() { echo "not ok $1 - $2"; }

if [ "${1-}" != inside ]; then
    if ! unshare --net true 2>/dev/null; then
        echo "skip all - only root makes networks"
        exit 0
    fi
    exec unshare --net "$0" inside
fi
export XDG_RUNTIME_DIR="$TMPDIR/runtime"
mkdir -m 700 "$XDG_RUNTIME_DIR"
ip link set lo up

# SYNs from sources that do not exist, sent to the interface by the kernel: none is answered.
cat >flood.py <<'END'
import random, socket, struct, sys
dst, rate_n, net = sys.argv[1], int(sys.argv[2]), sys.argv[3]
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
def cksum(b):
    n = sum(struct.unpack('>%dH' % (len(b) // 2), b))
    n = (n >> 16) + (n & 0xffff)
    return 0xffff - (n + (n >> 16) & 0xffff)
d = socket.inet_aton(dst)
for i in range(rate_n):
    a = socket.inet_aton(net + '.%d.%d' % (i >> 8 & 255, i & 255))
    tcp = struct.pack('>HHIIBBHHHHH', 1024 + i % 60000, 80, random.getrandbits(32), 0, 6 << 4, 2,
                      64240, 0, 0, 0x0204, 1460)
    sum_ = cksum(a + d + struct.pack('>HH', 6, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack('>H', sum_) + tcp[18:]
    s.sendto(struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0, a, d) + tcp,
             (dst, 0))
END

started() { # OPTIONS: tern serve, until it serves
    "$TERN" serve -q --tun tern0 --address 10.9.0.2/24 "$@" 2>serve.err &
    server=$!
    for _ in $(seq 100); do
        curl -s -m 2 -o /dev/null http://10.9.0.2/ && return 0
        sleep 0.1
    done
    wrong started "$(cat serve.err)"
}
stopped() {
    kill "$server"
    wait "$server"
}
# shows NAME PATTERN ss-options: before long
shows() {
    name=$1 pattern=$2
    shift 2
    for _ in $(seq 50); do
        timeout 10 "$TERN" ss --pid "$server" "$@" >out 2>&1
        if grep -qE -e "$pattern" out; then
            fine "$name"
            return
        fi
        sleep 0.1
    done
    wrong "$name" "no line matches $pattern in: $(cat out)"
}
# How many of ten fetches come within two seconds each.
fetches() {
    made=0
    for _ in 1 2 3 4 5; do
        curl -s -m 2 -o /dev/null http://10.9.0.2/ && made=$((made + 1))
    done
    echo $made
}
half_open() { timeout 10 "$TERN" ss --pid "$server" --state syn-recv | sed 1d | wc -l; }

started --syn-queue 64 --backlog 7 --syn-timeout 60s
shows backlog "^LISTEN +0 +7 +10.9.0.2:http " -l
python3 flood.py 10.9.0.2 1000 198.18
shows half-open "^SYN-RECV +0 +0 +10.9.0.2:80 +198.18.[0-9]+.[0-9]+:[0-9]+" -n
n=$(half_open)
if [ "$n" -le 64 ]; then fine syn-queue; else wrong syn-queue "$n are half-open"; fi
shows cookies-sent "^ +[1-9][0-9]{2}  SYNs answered with a cookie" -s
n=$(fetches)
if [ "$n" = 5 ]; then fine cookies; else wrong cookies "$n of 5 came"; fi
stopped

started --syn-queue 64 --syncookies never --synack-retries 30
python3 flood.py 10.9.0.2 3000 198.18
shows without-cookies "^ +[0-9]{4}  dropped: too many half-open connections" -s
if grep -q cookie out; then wrong never "$(cat out)"; else fine never; fi
stopped

started --syncookies always
shows always "^ +[1-9]  connections made of a SYN cookie" -s
python3 flood.py 10.9.0.2 100 198.18
n=$(half_open)
if [ "$n" = 0 ]; then fine always-nothing-half-open; else wrong always-nothing-half-open "$n"; fi
stopped

# Sources: 10.9.0.1 is the kernel; the flood is 198.18.0.0/15.
started --deny 198.18.0.0/15 --deny 0.0.0.0/0 --allow 10.9.0.1 --syn-rate 1
python3 flood.py 10.9.0.2 100 198.18
shows denied "^ +100  dropped: a rule denies its source" -s
n=$(half_open)
if [ "$n" = 0 ]; then fine denied-nothing-half-open; else wrong denied-nothing-half-open "$n"; fi
n=$(fetches)
if [ "$n" = 5 ]; then fine allowed-without-limits; else wrong allowed-without-limits "$n of 5"; fi
stopped

started --max-per-prefix 3 --prefix-bits 16,48
python3 flood.py 10.9.0.2 100 198.18
shows per-prefix "^ +97  dropped: too many connections of one source" -s
n=$(half_open)
if [ "$n" = 3 ]; then fine three-half-open; else wrong three-half-open "$n"; fi
stopped

"$TERN" serve --tun tern0 --address 10.9.0.2/24 --syn-rate 2 --prefix-bits 15,48 2>serve.err &
server=$!
shows starts "^LISTEN" -l
python3 flood.py 10.9.0.2 100 198.18
shows syn-rate "^ +9[0-9]  dropped: too many SYNs of one source in this time" -s
if grep -q "^tern serve: a flood of SYNs" serve.err; then fine told; else
    wrong told "$(cat serve.err)"
fi
stopped

wrongly() { # NAME TEXT OPTION...
    name=$1 text=$2
    shift 2
    "$TERN" serve --tun tern0 --address 10.9.0.2/24 "$@" >out 2>&1
    if [ $? = 2 ] && grep -q "$text" out; then fine "$name"; else wrong "$name" "$(cat out)"; fi
}
wrongly prefix "must be an address or a network" --deny 10.0.0.0/33
wrongly no-address "must be an address or a network" --allow example.org
wrongly bits "must be two numbers" --prefix-bits 24
wrongly more-bits "must be two numbers" --prefix-bits 33,64

started --syn-timeout 1s
python3 flood.py 10.9.0.2 50 198.18
shows given-up "^ +50  half-open connections given up" -s
if grep -q "SYN-ACKs sent again" out; then wrong syn-timeout "$(cat out)"; else fine syn-timeout; fi
stopped

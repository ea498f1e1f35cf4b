#!/bin/bash
# run: background
# limit: 180
# tern ss: sockets of running tern processes, queues and processes as they are; nobody can make it
# or a tern process hang; dead processes' sockets go.
# shellcheck disable=SC2154,SC2181,SC2012,SC2010 # start() sets variables by name
set -u

export XDG_RUNTIME_DIR=$TMPDIR/runtime
mkdir -m 700 "$XDG_RUNTIME_DIR"
folder=$XDG_RUNTIME_DIR/tern

fine() { echo "ok $1"; }
wrong() { echo "not ok $1 - $2"; }

# awaits NAME SECONDS PATTERN ss-arguments...: some line of the output matches, before long.
awaits() {
    name=$1 end=$(($(date +%s) + $2)) pattern=$3
    shift 3
    until timeout 10 "$TERN" ss "$@" >out 2>&1; grep -qE -e "$pattern" out; do
        if [ "$(date +%s)" -ge "$end" ]; then
            wrong "$name" "no line matches $pattern in: $(cat out)"
            return 1
        fi
        sleep 0.1
    done
    fine "$name"
}

# A python program that does one thing after the other, each when told; says what it has done.
cat >prog.py <<'EOF'
import os, socket, sys, time
names, last = {}, None
def do(words):
    global last
    verb, args = words[0], words[1:]
    if verb == 'listen':
        last = names['l'] = socket.socket()
        last.bind(('', int(args[0])))
        last.listen(int(args[1]))
    elif verb == 'connect':
        last = names[args[2]] = socket.socket(socket.AF_INET6 if ':' in args[0] else socket.AF_INET)
        if len(args) > 3: last.setblocking(False)
        try: last.connect((args[0], int(args[1])))
        except BlockingIOError: pass
    elif verb == 'accept':
        names['a'] = names['l'].accept()[0]
    elif verb == 'send':
        names[args[0]].send(b'x' * int(args[1]))
    elif verb == 'fill':
        names[args[0]].setblocking(False)
        try:
            while True: names[args[0]].send(b'x' * 65536)
        except BlockingIOError: pass
    elif verb == 'get':
        names[args[0]].send(b'GET %s HTTP/1.1\r\nHost: x\r\n\r\n' % args[1].encode())
    elif verb == 'post':
        names[args[0]].send(b'POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n'
                            % args[1].encode())
    elif verb == 'recv':
        names[args[0]].recv(int(args[1]))
    elif verb == 'shut':
        names[args[0]].shutdown(socket.SHUT_WR)
    elif verb == 'close':
        names.pop(args[0]).close()
    print('did', ' '.join(words), flush=True)
for line in sys.stdin:
    do(line.split())
EOF

# start NAME run-options...: a tern run of prog.py, which obeys NAME.in.
start() {
    name=$1
    shift
    mkfifo "$name.in"
    "$TERN" run -q "$@" -- python3 prog.py <"$name.in" >"$name.out" 2>&1 &
    eval "$name=$!"
}

# told NAME WORDS: the program does that; waits until it has.
told() {
    echo "$2" >"/dev/fd/$3"
    for _ in $(seq 100); do
        grep -q "did $2" "$1.out" && return 0
        sleep 0.05
    done
    wrong "program" "did not $2: $(cat "$1.out")"
}

# ---- what is shown -------------------------------------------------------------------------------

start one --msl 20s
exec 7>one.in
do_one() { told one "$1" 7; }

do_one "listen 8080 3"
pid=$(pgrep -P "$one" -x python3)
awaits listener 5 "^LISTEN +0 +3 +0.0.0.0:8080 +0.0.0.0:\* +users:\(\(\"python3\",pid=$pid\)\)" -n
awaits listener-by-name 5 "^LISTEN.*:http-alt " -l
do_one "connect 127.0.0.1 8080 c"
do_one "connect 127.0.0.1 8080 d"
awaits accept-queue 5 "^LISTEN +2 +3 " -ln
do_one "accept"
awaits accept-queue-shrinks 5 "^LISTEN +1 +3 " -ln
do_one "send c 1000"
# the accepted one is the port's; the other end is the client's
awaits recv-q 5 "^ESTAB +1000 +0 +[0-9.]+:8080 .*\"python3\",pid=$pid" -n
do_one "recv a 300"
awaits recv-q-shrinks 5 "^ESTAB +700 +0 +[0-9.]+:8080 " -n
do_one "recv a 700"
awaits recv-q-is-empty 5 "^ESTAB +0 +0 +[0-9.]+:8080 .*python3" -n

do_one "connect 192.0.2.80 80 s"
tern_has="users:\(\(\"tern\",pid=$one\)\)"
awaits both-ends 5 "^ESTAB +0 +0 +192.0.2.80:80 +192.0.2.1:[0-9]+ +$tern_has" -n
do_one "post s /slow"
do_one "fill s"
awaits send-q 5 "^ESTAB +0 +[1-9][0-9]{4,} +192.0.2.1:[0-9]+ +192.0.2.80:80 .*python3" -n
awaits timer 5 "timer:\(on,[0-9]+(\.[0-9]+)?(ms|sec),[0-9]+\)" -no --state established

do_one "connect 192.0.2.80 82 w nonblocking"
awaits syn-sent 5 "^SYN-SENT +0 +[01] +192.0.2.1:[0-9]+ +192.0.2.80:82 +users" -n
do_one "connect 192.0.2.80 80 h"
do_one "shut h"
awaits half-closed 5 "^(FIN-WAIT-2|TIME-WAIT) .* 192.0.2.80:80" -n
do_one "connect 192.0.2.80 80 t"
do_one "close t"
awaits time-wait 5 "^TIME-WAIT +0 +0 .* timer:\(timewait,(3[0-9]|40)sec,0\)" -no
do_one "connect 192.0.2.80 80 q"
do_one "get q /close/server"
awaits close-wait 5 "^CLOSE-WAIT +[0-9]+ +0 +192.0.2.1:[0-9]+ +192.0.2.80:80 +users" -n
awaits fin-wait-2 5 "^FIN-WAIT-2 +0 +0 +192.0.2.80:80 " -n
do_one "connect 2001:db8::80 80 x"
awaits ipv6 5 "^ESTAB +0 +0 +\[2001:db8::1\]:[0-9]+ +\[2001:db8::80\]:80 +users:.*python3" -n

n='[0-9.]+'
awaits info 5 "^	 ts sack wscale:$n,$n cubic rto:$n rtt:$n/$n .*mss:$n .*cwnd:$n" -ni
awaits info-amounts 5 "bytes_sent:[0-9]+ .*segs_out:[0-9]+ segs_in:[0-9]+" -ni
awaits summary 5 "^TCP: .*LISTEN 1.*ESTABLISHED [1-9].*TIME-WAIT [1-9]" -s
awaits summary-counters 5 "^ +[0-9]+  TIME-WAIT entries made" -s

# The states that pass quickly are held by losing what would end them.
start syn --drop ack:1-50
exec 6>syn.in
told syn "connect 192.0.2.80 80 c" 6
awaits syn-recv 5 "^SYN-RECV +0 +0 +192.0.2.80:80 +192.0.2.1:[0-9]+ " -n
exec 6>&-
start fin --drop fin:1-50
exec 6>fin.in
told fin "connect 192.0.2.80 80 c" 6
told fin "shut c" 6
awaits fin-wait-1 5 "^FIN-WAIT-1 +0 +0 +192.0.2.1:[0-9]+ +192.0.2.80:80 .*python3" -n
exec 6>&-
start last --drop fin:2-50
exec 6>last.in
told last "connect 192.0.2.80 80 c" 6
told last "shut c" 6
awaits last-ack 5 "^LAST-ACK +0 +0 +192.0.2.80:80 +192.0.2.1:[0-9]+ " -n --pid "$last"
exec 6>&-
# The server's FIN is under way for as long as the delay: then the program's must leave.
start closing --delay 1s --drop fin:2-50
exec 6>closing.in
told closing "connect 192.0.2.80 80 c" 6
told closing "get c /close/server" 6
awaits fin-wait-1-of-the-server 5 "^FIN-WAIT-1 +0 +[0-9]+ +192.0.2.80:80 " -n --pid "$closing"
told closing "shut c" 6
awaits closing 5 "^CLOSING +[0-9]+ +0 +192.0.2.1:[0-9]+ +192.0.2.80:80 " -n
exec 6>&-
kill -KILL "$syn" "$fin" "$last" "$closing" # they would wait for those FINs to arrive
wait "$syn" "$fin" "$last" "$closing" 2>/dev/null

# A socket is its last owner's, and then nobody's.
cat >heir.py <<'EOF'
import os, socket, time
l = socket.socket(); l.bind(('', 8081)); l.listen(1)
c = socket.socket(); c.connect(('192.0.2.80', 80))
if os.fork():
    os._exit(0)
print(os.getpid(), flush=True)
time.sleep(60)
EOF
"$TERN" run -q -- python3 heir.py >heir.out 2>&1 &
heirs=$!
for _ in $(seq 100); do
    [ -s heir.out ] && break
    sleep 0.1
done
heir=$(cat heir.out)
awaits heir-listens 5 "^LISTEN +0 +1 +0.0.0.0:8081 .*pid=$heir\)" -n --pid "$heirs"
awaits heir-is-connected 5 "^ESTAB +0 +0 +192.0.2.1:[0-9]+ .*\"python3\",pid=$heir\)" -n \
    --pid "$heirs"
kill "$heirs"
wait "$heirs"

start few --backlog 2
exec 6>few.in
told few "listen 8082 128" 6
awaits backlog-option 5 "^LISTEN +0 +2 +0.0.0.0:8082 " -n --pid "$few"
told few "connect 127.0.0.1 8082 c" 6
told few "connect 127.0.0.1 8082 d" 6
told few "connect 127.0.0.1 8082 e nonblocking" 6
told few "connect 127.0.0.1 8082 f nonblocking" 6
awaits backlog-is-full 5 "^LISTEN +3 +2 +0.0.0.0:8082 " -n --pid "$few" # one more, as in Linux
awaits over-the-backlog 5 "^SYN-SENT .*192.0.2.80:[0-9]+ +192.0.2.1:8082" -n --pid "$few"
exec 6>&-
kill -KILL "$few"
wait "$few" 2>/dev/null

# ---- what is left out ----------------------------------------------------------------------------

only() { # NAME PATTERN ss-arguments...: every line below the headline matches, and there is one
    name=$1 pattern=$2
    shift 2
    timeout 10 "$TERN" ss "$@" >out 2>&1
    if sed 1d out | grep -q . && ! sed 1d out | grep -qvE -e "$pattern"; then
        fine "$name"
    else
        wrong "$name" "$(cat out)"
    fi
}

only state-filter "^TIME-WAIT " --state time-wait
only state-group "^(SYN-RECV|TIME-WAIT) " --state bucket
only two-states "^(SYN-SENT|LISTEN) " --state syn-sent --state listen --pid "$pid"
only listeners "^LISTEN " -l
only pid-of-the-program "pid=$pid\)" --pid "$pid"
awaits own-listeners-with-a 5 "^LISTEN .*\"tern\"" -a
timeout 10 "$TERN" ss >out 2>&1
if grep "LISTEN.*\"tern\"" out; then
    wrong own-listeners-without-a "$(cat out)"
else
    fine own-listeners-without-a
fi
"$TERN" ss --state tired >out 2>&1
if [ $? = 2 ] && grep -q "must be a state such as" out; then
    fine no-such-state
else
    wrong no-such-state "$(cat out)"
fi

timeout 10 "$TERN" ss --json --pid "$one" >out.json 2>err
python3 - "$one" "$pid" <<'EOF' >out 2>&1
import json, sys
tern, pid = map(int, sys.argv[1:])
p, = json.load(open('out.json'))['processes']
assert (p['pid'], p['verb'], p['program']) == (tern, 'run', 'python3'), p
assert p['stacks'][0]['name'] == 'program', p
s = p['sockets']
l, = [x for x in s if x['state'] == 'LISTEN']
assert l['pid'] == pid and l['process'] == 'python3' and l['lport'] == 8080 and l['send_q'] == 3, l
e = [x for x in s if x['state'] == 'ESTABLISHED' and x['stack'] == 0]
assert e and all(x['info']['snd_mss'] > 500 and x['info']['srtt_ns'] > 0 for x in e), e
assert {'TIME-WAIT', 'SYN-SENT'} <= {x['state'] for x in s}
c = p['stacks'][0]
assert c['counters']['active_opens'] >= 5 and c['counters']['timewaits'] >= 1, c
assert 'tcp_csum' in c['drops'], c
assert c['memory']['conns'] > 0, c
EOF
if [ $? = 0 ]; then fine json; else wrong json "$(cat out err)"; fi

# ---- the folder ----------------------------------------------------------------------------------

case $(stat -c %a:%u "$folder") in
"700:$(id -u)") fine folder-is-private ;;
*) wrong folder-is-private "$(stat "$folder")" ;;
esac
mkdir -m 700 tricked "$TMPDIR/elsewhere"
ln -s "$TMPDIR/elsewhere" tricked/tern
XDG_RUNTIME_DIR=$PWD/tricked timeout 10 "$TERN" run -q -- sleep 1 &
sleep 0.5
if [ -z "$(ls -A "$TMPDIR/elsewhere")" ]; then
    fine folder-is-no-link
else
    wrong folder-is-no-link "$(ls -la "$TMPDIR/elsewhere")"
fi
wait $!
mkdir -m 777 tricked2
mkdir tricked2/tern
chmod 777 tricked2/tern
XDG_RUNTIME_DIR=$PWD/tricked2 timeout 10 "$TERN" run -q -- ls -A tricked2/tern >out
if [ -s out ]; then wrong folder-open-to-all "$(cat out)"; else fine folder-open-to-all; fi

# Even where the folder is open, a process answers its own user and root only.
cat >other.py <<'EOF'
import os, socket, sys
os.chdir(os.environ['XDG_RUNTIME_DIR'] + '/tern')
name = [n for n in os.listdir('.') if n.startswith(sys.argv[1] + '-')][0]
def ask():
    s = socket.socket(socket.AF_UNIX); s.settimeout(10)
    s.connect(name)
    try:
        s.sendall(b'tern/1 sockets\n')
        return s.recv(1000)
    except OSError: # it was closed before that was read
        return b''
assert b'"verb"' in ask()
os.chmod('.', 0o711)
os.chmod(name, 0o666)
os.setgroups([]); os.setgid(65534); os.setuid(65534)
got = ask()
assert got == b'', got
EOF
if [ "$(id -u)" != 0 ]; then
    echo "skip another-user - only root can be another user"
elif python3 other.py "$one" >out 2>&1; then
    fine another-user
else
    wrong another-user "$(cat out)"
fi
chmod 700 "$folder"

# ---- those who do not answer, and those who do not ask -------------------------------------------

cat >hostile.py <<'EOF'
import os, socket, sys, time
folder = os.environ['XDG_RUNTIME_DIR'] + '/tern/'
path = [folder + n for n in os.listdir(folder) if n.startswith(sys.argv[1] + '-')][0]
def conn():
    for _ in range(100):
        try:
            s = socket.socket(socket.AF_UNIX); s.settimeout(0.5); s.connect(path); return s
        except BlockingIOError: # its backlog is full
            time.sleep(0.01)
keep = []
for line in (b'', b'x' * 4096, b'\0' * 200, b'tern/1 sockets', b'tern/9 sockets\n',
             b'tern/1 what\n', b'tern/1 sockets info counters\n') * 8:
    try:
        s = conn(); keep.append(s); s.sendall(line)
    except OSError:
        pass
s = conn(); s.sendall(b'GET / HTTP/1.1\r\n\r\n')
print(s.recv(1000))
s = conn(); s.sendall(b'tern/9 sockets\n')
print(s.recv(1000))
print('ready', flush=True)
time.sleep(30)
EOF
fds=$(ls "/proc/$one/fd" | wc -l)
python3 hostile.py "$one" >hostile.out 2>&1 &
hostile=$!
for _ in $(seq 100); do
    grep -q ready hostile.out && break
    sleep 0.1
done
if grep -q '"error":"no request' hostile.out && grep -q '"error":"another version' hostile.out; then
    fine mistakes-are-named
else
    wrong mistakes-are-named "$(cat hostile.out)"
fi
awaits answers-among-hostile-clients 5 "^LISTEN.*8080.*pid=$pid" -n
sleep 1.5 # those who never ask have 1 second
awaits still-answers 5 "^LISTEN.*8080.*pid=$pid" -n
after=$(ls "/proc/$one/fd" | wc -l)
if [ "$after" -le "$fds" ]; then
    fine clients-are-few
else
    wrong clients-are-few "$fds, then $after"
fi
kill $hostile
wait $hostile 2>/dev/null

start two
exec 8>two.in
told two "listen 9090 5" 8
kill -STOP "$two"
began=$(date +%s%N)
timeout 10 "$TERN" ss -n >out 2>err
status=$?
took=$((($(date +%s%N) - began) / 1000000))
kill -CONT "$two"
if [ $status = 1 ] && grep -q "process $two does not answer in time" err &&
    grep -q "^LISTEN.*:8080" out && [ $took -lt 4000 ]; then
    fine one-that-hangs
else
    wrong one-that-hangs "status $status after $took ms: $(cat out err)"
fi
awaits back-again 5 "^LISTEN.*:9090" -n

kill -KILL "$two"
wait "$two" 2>/dev/null
ls "$folder" | grep -q "^$two-" || wrong stale "the socket of a killed process is gone already"
timeout 10 "$TERN" ss >out 2>err
if ls "$folder" | grep -q "^$two-"; then
    wrong stale-sockets-go "$(ls "$folder")"
else
    fine stale-sockets-go
fi
exec 7>&- 8>&-
wait "$one"
if [ -z "$(ls -A "$folder")" ]; then
    fine leaves-nothing
else
    wrong leaves-nothing "$(ls -A "$folder")"
fi

# Alone in the world: in folders nobody else sees.
cat >alone.sh <<'EOF'
exec 9<"$TERN"
mount -t tmpfs none /run && mount -t tmpfs none /tmp || exit 77
/proc/self/fd/9 ss
EOF
timeout 20 unshare --map-root-user --mount sh alone.sh >out 2>err
status=$?
if [ $status = 77 ] || grep -q "unshare" err; then
    echo "skip nothing-runs - no mount namespaces here: $(cat err)"
elif [ $status = 1 ] && grep -q "^tern ss: no tern process is running" err && [ ! -s out ]; then
    fine nothing-runs
else
    wrong nothing-runs "status $status: $(cat out err)"
fi

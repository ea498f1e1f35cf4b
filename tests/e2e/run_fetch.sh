#!/bin/sh
# Real programs fetch and send under tern run, over a link without faults.
# limit: 300
set -u
. "$TERN_ROOT/tests/e2e/lib.sh"

site4=192.0.2.80
site6='[2001:db8::80]'
size=100000000
[ "$TERN_PRESET" = asan ] && size=20000000
want=$(digest_of $size)

build_static || {
    echo "not ok the static program is built"
    exit 1
}
for site in $site4 "$site6"; do
    bare=$(echo "$site" | tr -d '[]')
    timeout 60 "$TERN" run -q -- curl -sS "http://$site/bytes/$size" |
        same_digest "curl fetches $size bytes from $site" "$want"
    timeout 60 "$TERN" run -q -- wget -q -O - "http://$site/bytes/$size" |
        same_digest "wget fetches $size bytes from $site" "$want"
    timeout 60 "$TERN" run -q -- ./fetch "$bare" 80 "/bytes/$size" |
        same_digest "a static program fetches $size bytes from $site" "$want"
done

# A time line and a capture beside it change nothing.
timeout 60 "$TERN" run --timeline line --pcapng f.pcapng --delay 1ms -- \
    curl -sS "http://$site4/bytes/2000000" | same_digest "with a time line and a capture" \
    "$(digest_of 2000000)"
lines=$(wc -l <line)
[ "$lines" -gt 10 ] && [ "$lines" -lt 300 ]
verdict "bulk is folded" $? "$lines lines"

# 200 connections of one program at once.
i=0
while [ $i -lt 200 ]; do
    echo "url = http://$site4/bytes/100000"
    echo "output = part.$i"
    i=$((i + 1))
done >parallel
timeout 60 "$TERN" run -q --delay 1ms -- curl -sS -Z --parallel-immediate --parallel-max 200 \
    -K parallel
verdict "200 connections at once" $? "curl failed"
cat part.* | sha256sum | cut -d ' ' -f 1 >got
i=0
while [ $i -lt 200 ]; do
    cat part.0
    i=$((i + 1))
done | sha256sum | cut -d ' ' -f 1 >all
sha256sum <part.0 | grep -q "$(digest_of 100000)" && cmp -s got all
verdict "... each of them complete" $? "a part differs"

# Uploads: known length, then chunked.
head -c 5000000 /dev/urandom >up
sent=$(sha256sum <up | cut -d ' ' -f 1)
timeout 60 "$TERN" run -q -- curl -sS --data-binary @up "http://$site4/echo" |
    same_digest "an upload comes back" "$sent"
timeout 60 "$TERN" run -q -- curl -sS -T - "http://$site6/echo" <up |
    same_digest "a chunked upload comes back" "$sent"

# Half closes: the client's, then data for it; the server's, then data from the client.
printf 'GET /bytes/3000000 HTTP/1.0\r\n\r\n' |
    timeout 20 "$TERN" run -q --delay 2ms -- nc -N $site4 80 | tail -c 3000000 |
    same_digest "the client half closes" "$(digest_of 3000000)"
python3 - >port <<'EOF' &
import socket
l = socket.socket()
l.bind(("127.0.0.1", 0))
l.listen()
print(l.getsockname()[1], flush=True)
c, _ = l.accept()
c.settimeout(20)
c.sendall(b"first")
c.shutdown(socket.SHUT_WR)
n = 0
while d := c.recv(65536):
    n += len(d)
open("received", "w").write(str(n))
EOF
server=$!
i=0
while [ ! -s port ] && [ $i -lt 50 ]; do
    sleep 0.1
    i=$((i + 1))
done
timeout 20 "$TERN" run -q --delay 2ms -- python3 -c '
import socket, sys
c = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
while c.recv(100):
    pass
c.sendall(b"x" * 1000000)
c.close()' "$(cat port)"
wait $server
[ "$(cat received)" = 1000000 ]
verdict "the server half closes, the client goes on" $? "$(cat received) bytes arrived"

# A browser.
if command -v chromium-headless-shell >/dev/null; then
    timeout 60 "$TERN" run -q -- chromium-headless-shell --no-sandbox --disable-gpu --dump-dom \
        --user-data-dir="$PWD/profile" "http://$site4/" >dom 2>browser.log
    grep -q 'This page came over a TCP connection' dom
    verdict "a browser loads the page" $? "$(tail -n 3 browser.log)"
else
    echo "skip a browser loads the page - chromium-headless-shell is missing"
fi

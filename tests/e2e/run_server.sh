#!/bin/sh
# A server under tern run, reached from outside through --publish.
# limit: 200
# presets: release
set -u
. "$TERN_ROOT/tests/e2e/lib.sh"

mkdir www
head -c 200000 /dev/urandom >www/file
cat >nginx.conf <<EOF
worker_processes 2;
pid $PWD/pid;
error_log $PWD/error.log;
user root;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path $PWD/b; proxy_temp_path $PWD/p; fastcgi_temp_path $PWD/f;
    uwsgi_temp_path $PWD/u; scgi_temp_path $PWD/s;
    server {
        listen 8000;
        listen [::]:8000;
        root $PWD/www;
        location /who { return 200 "\$pid\n"; }
    }
}
EOF
port=$((20000 + $$ % 20000))
"$TERN" run -q --publish "127.0.0.1:$port=8000" --publish "[::1]:$port=8000" -- \
    nginx -p "$PWD" -c "$PWD/nginx.conf" -g 'daemon off;' 2>run.err &
tern=$!
trap 'kill $tern 2>/dev/null' EXIT
i=0
until curl -s -o /dev/null "http://127.0.0.1:$port/who"; do
    i=$((i + 1))
    [ $i -gt 100 ] && break
    sleep 0.1
done

want=$(sha256sum <www/file | cut -d ' ' -f 1)
curl -sS "http://127.0.0.1:$port/file" | same_digest "a file over IPv4" "$want"
curl -sS "http://[::1]:$port/file" | same_digest "a file over IPv6" "$want"

# 1,000 times, each a connection of its own, 20 at once
seq 1000 | timeout 100 xargs -P 20 -n 25 sh -c '
    for i; do
        curl -sS --fail -m 20 "http://127.0.0.1:'"$port"'/file" | sha256sum
    done' sh >sums
good=$(grep -c "$want" sums)
[ "$good" = 1000 ]
verdict "a thousand requests" $? "$good were answered well; $(tail -n 2 error.log)"
seq 200 | xargs -P 10 -I{} curl -sS "http://127.0.0.1:$port/who" | sort | uniq -c >workers
[ "$(wc -l <workers)" = 2 ]
verdict "by both workers" $? "$(cat workers)"

kill $tern
wait $tern
status=$?
[ $status = 0 ] || [ $status = 143 ]
verdict "a signal ends it" $? "status $status, $(cat run.err)"

# Whom the options of listeners turn away is not answered, and told apart.
"$TERN" run -q --publish "127.0.0.1:$port=8000" --deny 192.0.2.0/24 --syn-queue 64 -- \
    nginx -p "$PWD" -c "$PWD/nginx.conf" -g 'daemon off;' 2>run.err &
tern=$!
for _ in $(seq 100); do
    "$TERN" ss --pid "$tern" -ln 2>/dev/null | grep -q "^LISTEN.*:8000" && break
    sleep 0.1
done
! curl -s -m 2 -o /dev/null "http://127.0.0.1:$port/who"
verdict "who is denied gets no answer" $? "curl was answered"
"$TERN" ss --pid "$tern" -s >summary
grep -q "dropped: a rule denies its source" summary
verdict "and tern ss says why" $? "$(cat summary)"
kill $tern
wait $tern

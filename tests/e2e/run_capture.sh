#!/bin/sh
# What tern run keeps: captures that tshark finds nothing wrong with, and facts as JSON.
# presets: release
set -u
. "$TERN_ROOT/tests/e2e/lib.sh"

if ! command -v tshark >/dev/null; then
    echo "skip captures - tshark is missing"
    exit 0
fi
run() { timeout 60 "$TERN" run -q "$@"; }
shark() { # FILE ARGS...: warnings of tshark's own become part of what it prints
    file=$1
    shift
    tshark -r "$file" -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE "$@" 2>&1 |
        grep -v 'Running as user "root"'
}
empty() { # NAME TEXT
    [ -z "$2" ]
    verdict "$1" $? "$(echo "$2" | head -n 3)"
}
count() { wc -l | tr -d ' '; }

for site in 192.0.2.80 '[2001:db8::80]'; do
    run --delay 3ms --pcapng f.pcapng -- curl -sS -o /dev/null "http://$site/"
    empty "nothing to remark in an unimpaired run, $site" "$(shark f.pcapng -Y tcp.analysis.flags)"
    run --delay 3ms --pcapng f.pcapng -- curl -sS -o /dev/null "http://$site/bytes/300000"
    # a window that grows is no fault, though tshark counts it among its flags
    empty "nor in a longer one, $site" "$(shark f.pcapng -Y \
        'tcp.analysis.flags && !tcp.analysis.window_update')"
    empty "every checksum is right, $site" "$(shark f.pcapng -Y \
        'tcp.checksum.status == 0 || ip.checksum.status == 0 || tcp.checksum.status == 2')"
    empty "nothing is malformed, $site" "$(shark f.pcapng -Y _ws.malformed)"
    [ "$(shark f.pcapng -Y 'tcp.flags.syn == 1' | count)" = 2 ] &&
        [ "$(shark f.pcapng -Y 'tcp.flags.fin == 1' | count)" = 2 ]
    verdict "it goes from SYN to FIN, $site" $? "$(shark f.pcapng | head -n 3)"
    shark f.pcapng -Y 'tcp.flags.fin == 1' -T fields -e frame.comment | grep -q 'FIN-WAIT'
    verdict "comments tell of states, $site" $? "$(shark f.pcapng -T fields -e frame.comment)"
done

run --delay 3ms --drop synack:1 --pcapng-end both --pcapng g.pcapng -- \
    curl -sS -o /dev/null http://192.0.2.80/
[ "$(shark g.pcapng -Y 'tcp.flags == 0x012 && frame.interface_id == 1' | count)" -ge 2 ] &&
    shark g.pcapng -Y frame.comment -T fields -e frame.comment | grep -qi 'drop'
verdict "both ends, and what the link dropped" $? "$(shark g.pcapng -T fields -e frame.comment)"

run --delay 3ms --loss 3% --pcapng h.pcapng --pcapng-end server -- \
    curl -sS -o /dev/null http://192.0.2.80/bytes/3000000
# one that comes within a round trip is taken for a segment out of order
[ "$(shark h.pcapng -Y 'tcp.analysis.retransmission || tcp.analysis.fast_retransmission ||
    tcp.analysis.out_of_order' | count)" -gt 5 ]
verdict "retransmissions are seen as such" $? "$(shark h.pcapng | count) packets"

run --json facts.json --isn 10000,20000 -- sh -c \
    'curl -s -o /dev/null http://192.0.2.80/bytes/5000; curl -s http://192.0.2.80:81/ || :'
python3 - <<'EOF'
import json
c = json.load(open("facts.json"))["connections"]
assert len(c) == 2, c
assert c[0]["client"]["isn"] == 10000 and c[0]["server"]["isn"] == 20000, c[0]
assert c[0]["server"]["bytes"] > 5000 and c[0]["closed_first"] == "client", c[0]
assert c[0]["process"].startswith("curl["), c[0]
assert c[1]["outcome"] == "refused", c[1]
EOF
verdict "facts as JSON" $? "$(head -c 300 facts.json)"

#!/bin/sh
# tern explain: recorded captures, and what is made of them (other links, cut, one-sided, with gaps,
# joined, hostile), and its counts beside tshark's.
# limit: 180
# run: background
set -u
. "$TERN_ROOT/tests/e2e/lib.sh"
LC_ALL=C.UTF-8
export LC_ALL

mergecap -F nsecpcap -w all.pcap "$TERN_ROOT"/tests/captures/*.pcap || exit 1
python3 "$TERN_ROOT/tests/e2e/explain_captures.py" all.pcap "$TERN_ROOT"/tests/captures/*.pcap \
    >names || exit 1

explain() { timeout 60 "$TERN" explain "$@"; }

says() { # NAME FILE TEXT
    grep -qF -- "$3" "$2"
    verdict "$1" $? "it does not say: $3"
}

explain all.pcap >ladder 2>err
verdict "many connections are explained" $? "$(cat err)"
says "... each with a ladder" ladder 'active close by the server'
explain "$TERN_ROOT/tests/captures/zero-window.pcap" >zero
says "a closed window" zero 'closes its window'
says "... and in the ladder" zero 'zero window: the server can take no more'
explain --brief "$TERN_ROOT/tests/captures/refused.pcap" >refused
says "a refusal has a cause" refused 'refuses: nothing listens there'
says "states have times" refused 'SYN-SENT 2.21 ms'
explain --brief "$TERN_ROOT/tests/captures/closed-under-it.pcap" >under
says "a reset has a cause" under 'resets: data came after it had closed'
explain --connection 5 all.pcap >fifth
[ "$(grep -c '^#' fifth)" = 3 ] && grep -q '^#5 ' fifth
verdict "one connection of many" $? "$(grep '^#' fifth | head -3)"
explain --filter 'ip6' --json - all.pcap >ip6
[ "$(grep -c '"number"' ip6)" = 3 ] && ! grep -q '"address": "10' ip6
verdict "packets are filtered" $? "$(grep -c '"number"' ip6) connections"
explain - <all.pcap >stdin && cmp -s stdin ladder
verdict "standard input" $? "it differs"

# The same packets on other links.
explain --json - all.pcap >plain
for link in ether vlan qinq mpls pppoe sll sll2 null ppp hdlc; do
    explain --json - "$link.pcap" >"$link" && cmp -s "$link" plain
    verdict "link type: $link" $? "$(diff "$link" plain | head -3)"
done
editcap -F pcapng ether.pcap ether.pcapng && explain --json - ether.pcapng | cmp -s - plain
verdict "pcapng" $? "it differs"

# What a capture cannot show is nobody's fault.
for kind in cut client server gaps joined partial; do
    explain --json - "$kind.pcap" >"$kind" 2>err && ! grep -q '"rule"' "$kind"
    verdict "nobody is accused: $kind" $? "$(grep '"rule"' "$kind" | sort | uniq -c) $(cat err)"
done
grep -c '"outcome": "half-open"' client server >half
[ "$(cat half)" = "client:1
server:0" ] # the refused one: a SYN and no more
verdict "an unseen end is no missing end" $? "$(cat half)"
says "... and it is said which" client 'is in the capture'
[ "$(grep -c '"number"' partial)" = "$(grep -c '"number"' plain)" ]
verdict "what a card was to fill in is not missed" $? "$(grep -c '"number"' partial) connections"
explain --brief gaps.pcap >gaps
says "gaps are said" gaps 'gaps in what 10.9.0.2:80 sends'
says "... from both sides" gaps 'but not in the capture'

explain --brief flood.pcap >flood
says "a SYN flood" flood '3,000 handshakes with 192.0.2.1:80 were begun and not completed'
explain --brief --complete altered.pcap >altered
says "a broken rule, with its place" altered 'ack-unsent, RFC 9293 3.4'

head -c 30000 all.pcap >short.pcap
explain --brief short.pcap >short 2>err
[ $? = 1 ] && grep -q 'after packet' err && grep -q '^#1 ' short
verdict "a capture that ends early is explained as far as it goes" $? "$(cat err)"

# Counts beside tshark's: retransmissions of each kind, out of order, duplicate ACKs, zero windows.
if ! command -v tshark >/dev/null; then
    echo "skip counts are tshark's - tshark is not installed"
    exit 0
fi
field() { echo "-e tcp.analysis.$1"; }
# shellcheck disable=SC2046
timeout 60 tshark -r all.pcap -T fields -E separator=';' -e tcp.stream $(field retransmission) \
    $(field fast_retransmission) $(field spurious_retransmission) $(field out_of_order) \
    $(field duplicate_ack) $(field zero_window) $(field window_update) $(field keep_alive) \
    $(field lost_segment) $(field ack_lost_segment) 2>/dev/null |
    awk -F ';' '
        { # fast and spurious ones are also plain ones, there
            last = $1 > last ? $1 : last
            n[$1, 1] += $2 != "" && $3 == "" && $4 == ""
            for (i = 3; i <= 11; i++) n[$1, i - 1] += $i != ""
        }
        END {
            for (k = 0; k <= last; k++) {
                line = k + 1
                for (i = 1; i <= 10; i++) line = line " " n[k, i] + 0
                print line
            }
        }' >theirs
awk -F '[:,]' '
    BEGIN {
        split("retransmission fast_retransmission spurious_retransmission out_of_order " \
              "duplicate_ack zero_window window_update keep_alive missing_before missing_acked",
              names, " ")
        for (i in names) at["\"" names[i] "\""] = i
    }
    { gsub(/ /, "", $1) }
    $1 == "\"number\"" { last = k = $2 + 0 }
    $1 in at { n[k, at[$1]] += $2 }
    END {
        for (k = 1; k <= last; k++) {
            line = k
            for (i = 1; i <= 10; i++) line = line " " n[k, i] + 0
            print line
        }
    }' plain >ours
# A segment that the latest SACK lacks, within 20 ms of it, is sent again because of that (fast);
# tshark 4.0 does not look at SACK and takes it for out of order, or for sent by a timer.
awk -v OFS=' ' '
    FNR == 1 { file++ }
    file == 1 { name[FNR] = $1; next }
    name[$1] == "loss" || name[$1] == "loss-upload" || name[$1] == "no-timestamps" {
        $3 += 2
        $5 -= 2
    }
    name[$1] == "everything" { $3 += 2; $2--; $5-- }
    { print }' names theirs >expected
awk '
    FNR == 1 { file++ }
    file == 1 { name[FNR] = $1; next }
    file == 2 { want[$1] = $0; next }
    want[$1] == $0 { print "ok counts are those of tshark: " name[$1]; next }
    { print "not ok counts are those of tshark: " name[$1] " - " $0 ", not " want[$1] }
    ' names expected ours
[ "$(wc -l <ours)" -ge 20 ]
verdict "at least 20 captures are compared" $? "$(wc -l <ours)"

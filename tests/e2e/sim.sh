#!/bin/sh
# tern sim: worlds of each profile, repeated exactly; and what is broken on purpose is noticed,
# shown, and repeated by the command that is printed.
# limit: 300
# run: background
set -u
. "$TERN_ROOT/tests/e2e/lib.sh"

seeds=1000
[ "$TERN_PRESET" = asan ] && seeds=60

worlds() { # PROFILE HOW-MANY
    timeout 250 "$TERN" sim --profile "$1" --seeds "$2" --jobs 2 >"$1" 2>err &&
        [ "$(tail -n 1 "$1")" = "$2 passed, 0 failed" ]
    verdict "$2 worlds: $1" $? "$(cat err; grep -A 20 '^seed' "$1" | head -40)"
}
worlds calm $((seeds / 10))
worlds mixed $seeds
worlds storm $((seeds / 2))
worlds share 8 # all of the list
grep -Eq " ([0-9]+) of \\1 pairs of faults" storm
verdict "each pair of faults occurs" $? "$(grep pairs storm)"

for i in 1 2; do
    timeout 60 "$TERN" sim --seed 20 --seeds 3 --pcapng "$i.pcapng" | grep -v worlds >"out.$i"
done
cmp -s 1.pcapng 2.pcapng && cmp -s out.1 out.2 && [ "$(wc -c <1.pcapng)" -gt 1000 ]
verdict "the same seed is the same world" $? "$(wc -c 1.pcapng 2.pcapng)"
timeout 60 "$TERN" sim --seed 21 --seeds 1 --pcapng 3.pcapng >out.3
cmp -s 1.pcapng 3.pcapng
[ $? = 1 ]
verdict "another seed is another world" $? "it is the same"

timeout 60 "$TERN" explain --brief 1.pcapng >explained 2>&1
[ $? -le 1 ] && grep -q "^[1-9].* packets in" explained
verdict "tern explain reads what a world writes" $? "$(head -n 5 explained)"
timeout 60 "$TERN" sim --seed 20 --seeds 1 --end both --pcapng both.pcapng >out.4
[ "$(wc -c <both.pcapng)" -gt "$(wc -c <1.pcapng)" ]
verdict "and both hosts may" $? "$(ls -l 1.pcapng both.pcapng)"

# a failure is shown when it comes, and who stops it gets what has been found
# (in the foreground timeout passes a signal on once; a second one ends it at once)
timeout --foreground 100 "$TERN" sim --seeds 100000000 --jobs 2 --profile calm \
    --sabotage byte -q >stopped 2>&1 &
pid=$!
for _ in $(seq 600); do
    grep -q "^  again" stopped && break
    sleep 0.1
done
kill "$pid"
wait "$pid"
code=$?
grep -q "^seed 1: S1: " stopped && grep -q "stopped, by signal 15" stopped &&
    tail -n 1 stopped | grep -Eq "^[0-9]+ passed, [1-9][0-9]* failed"
verdict "stopped, it tells what it has found" $? "exit $code: $(tail -n 3 stopped)"

noticed() { # SABOTAGE INVARIANT
    timeout 200 "$TERN" sim --seed 16 --seeds 1 --profile calm --sabotage "$1" >"bad.$1" 2>&1
    [ $? = 1 ] && grep -q "^seed 16: $2: " "bad.$1" &&
        [ "$(tail -n 1 "bad.$1")" = "0 passed, 1 failed" ]
    verdict "noticed: $1" $? "$(head -n 3 "bad.$1")"
}
noticed byte S1
noticed segment S3
noticed dead L2
noticed crash crash
noticed chance D1
# these need more than a calm world of one connection
found() { # PROFILE SEEDS SABOTAGE INVARIANT
    timeout 200 "$TERN" sim --profile "$1" --seeds "$2" --sabotage "$3" -q >"bad.$3" 2>&1
    grep -q "^seed [0-9]*: $4: " "bad.$3"
    verdict "noticed: $3" $? "$(head -n 3 "bad.$3")"
}
found mixed 10 back S4
found mixed 10 cwnd S5
found mixed 10 small S6
found mixed 10 rto S7
found mixed 40 rtt S8
found mixed 10 size S9
found mixed 10 other S10
found mixed 10 ack S11
found mixed 10 early S14
found mixed 10 event S15
found mixed 10 leak R1
found mixed 10 work R2
found mixed 10 still L1
found mixed 40 sack S11
found mixed 40 loop S12
found mixed 40 strayed S13
found mixed 40 noise R3
found mixed 40 starve L3
found mixed 10 end S2
found share 2 hog L4

grep -q ' isn [0-9]' bad.byte
verdict "the last segments are shown" $? "$(head -n 5 bad.byte)"
again=$(sed -n 's/^  again: tern //p' bad.byte)
# shellcheck disable=SC2086 # words
timeout 60 "$TERN" $again >again 2>&1
[ "$(grep '^seed' again)" = "$(grep '^seed' bad.byte)" ]
verdict "the command that is printed repeats it" $? "$again: $(grep '^seed' again)"
timeout 100 "$TERN" sim --seed 8 --seeds 1 --profile storm --sabotage byte --shrink >shrunk 2>&1
grep -A 1 'shrunk:' shrunk | grep -q 'without.*loss.*--flows 1'
verdict "a failure is shrunk" $? "$(grep -A 1 shrunk: shrunk)"

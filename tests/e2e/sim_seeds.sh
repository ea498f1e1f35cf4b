#!/bin/sh
# tern sim under sanitizers: the worlds of tests/sim/seeds, and 2,000 that nobody has seen: each
# commit has its own.
# limit: 600
# run: background
# presets: asan
set -u
. "$TERN_ROOT/tests/e2e/lib.sh"

grep -v '^#' "$TERN_ROOT/tests/sim/seeds" >list
n=0
: >known
while read -r option seed what; do
    n=$((n + 1))
    timeout 60 "$TERN" sim "$option" "$seed" --seeds 1 -q >out 2>&1 ||
        { echo "$option $seed, $what:"; cat out; } >>known
done <list
[ ! -s known ]
verdict "$n worlds that have shown something" $? "$(head -n 20 known)"

# the first 28 bits of the commit's id, else the present second, two thousand seeds apart
id=$(git -C "$TERN_ROOT" rev-parse --short=7 HEAD 2>/dev/null) && id=$((0x${id%"${id#???????}"})) ||
    id=$(date +%s)
first=$((id * 2000 + 1000000000))
timeout 550 "$TERN" sim --seed $first --seeds 2000 --time 400s --jobs 2 >out 2>err
verdict "worlds from seed $first on: $(tail -n 1 out)" $? \
    "$(cat err; grep -A 1 '^seed\|again:' out | head -n 40)"
cat out

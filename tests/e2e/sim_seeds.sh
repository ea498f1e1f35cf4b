#!/bin/sh
# tern sim under sanitizers: the worlds of tests/sim/seeds, and 2,000 that nobody has seen: where
# they begin is the time of the last commit (without git, today's date).
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

first=$(git -C "$TERN_ROOT" log -1 --format=%ct 2>/dev/null || date +%Y%m%d)
timeout 500 "$TERN" sim --seed "$first" --seeds 2000 --jobs 2 >out 2>err
verdict "2000 worlds from seed $first on" $? "$(cat err; grep -A 20 '^seed' out | head -40)"
cat out

#!/bin/sh
# tern sim under sanitizers: the worlds of tests/sim/seeds, and 1,500 others, always the same; make
# soak looks at worlds that nobody has seen.
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

timeout 500 "$TERN" sim --seed 1 --seeds 1500 --jobs 2 >out 2>err
verdict "1500 worlds from the first on" $? "$(cat err; grep -A 20 '^seed' out | head -40)"
cat out

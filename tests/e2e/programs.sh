#!/bin/sh
# Programs that people use, unchanged, under tern run: each row of docs/PROGRAMS.md is played.
# limit: 240
# presets: release
set -u
"$TERN_ROOT/tests/programs/run" >rows
while IFS='|' read -r _ program _ what result; do
    case $result in
    *FAILED*) echo "not ok$program- $what:$result" ;;
    *skipped*) echo "skip$program-$result" ;;
    *) echo "ok$program" ;;
    esac
done <rows

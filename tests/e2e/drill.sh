#!/bin/sh
# The scripts of tests/drill, over IPv4, IPv6 and IPv4-mapped IPv6.
# limit: 300
set -u

for folder in "$TERN_ROOT"/tests/drill/*/; do
    name=$(basename "$folder")
    if "$TERN" drill --quiet --ip-version all "$folder" >"$name.log" 2>&1; then
        echo "ok $name: $(tail -n 1 "$name.log")"
    else
        cat "$name.log"
        echo "not ok $name - $(tail -n 1 "$name.log")"
    fi
done

# The reference has what the tables have.
sed -n '/^<!-- supported -->/,/^<!-- end of supported -->/p' "$TERN_ROOT/docs/DRILL.md" |
    sed '1d;$d' >documented
"$TERN" drill --supported | sed '$d' >supported # its last line is empty
if diff documented supported; then
    echo "ok docs/DRILL.md is up to date"
else
    echo "not ok docs/DRILL.md is up to date - put in what tern drill --supported prints"
fi

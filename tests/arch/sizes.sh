#!/bin/sh
# Files of at most 900 lines, functions of at most 100, lines of at most 100 columns.
set -u
cd "$TERN_ROOT" || exit 2
export LC_ALL=C # awk counts bytes

# shellcheck disable=SC2016 # awk's own
find src include tests examples bench scripts cmake -type f \
    \( -name '*.[ch]' -o -name '*.sh' -o -name '*.cmake' -o -path 'scripts/*' \) 2>/dev/null |
    sort | xargs awk '
    function bad(what, why) { print "not ok " what " - " why; failed++ }
    FNR == 1 {
        if (lines > 900)
            bad(last, lines " lines")
        start = 0
        last = FILENAME
    }
    {
        lines = FNR
        # Columns, not bytes: continuation bytes of UTF-8 take no room.
        text = $0
        gsub(/[\200-\277]/, "", text)
        if (length(text) > 100)
            bad(FILENAME ":" FNR, length(text) " columns")
    }
    # The brace of a function, and of nothing else, stands alone at the start of a line.
    FILENAME ~ /\.[ch]$/ && /^\{/ { start = FNR }
    FILENAME ~ /\.[ch]$/ && /^\}$/ && start {
        len = FNR - start + 1
        if (len > 100)
            bad(FILENAME ":" start, "a function of " len " lines")
        else if (len > 70)
            print "# " FILENAME ":" start ": a function of " len " lines"
        functions++
        start = 0
    }
    END {
        if (lines > 900)
            bad(last, lines " lines")
        if (!failed)
            print "ok sizes of files, and of " functions " functions"
    }'

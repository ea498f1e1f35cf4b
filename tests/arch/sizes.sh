#!/bin/sh
# Files of at most 900 lines, functions of at most 100, lines of at most 100 columns.
set -u
cd "$TERN_ROOT" || exit 2
export LC_ALL=C # awk counts bytes

# shellcheck disable=SC2016 # awk's own
find src include tests examples bench scripts cmake -type f \
    \( -name '*.[ch]' -o -name '*.sh' -o -name '*.cmake' -o -path 'scripts/*' \) 2>/dev/null |
    sort | xargs awk '
    function bad(kind, what) {
        count[kind]++
        print "# " what
    }
    function verdict(kind) {
        if (count[kind])
            print "not ok " kind " - " count[kind] " are not; see above"
        else
            print "ok " kind
    }
    FNR == 1 {
        if (lines > 900)
            bad("files of at most 900 lines", last ": " lines " lines")
        start = 0
        last = FILENAME
    }
    {
        lines = FNR
        # Columns, not bytes: continuation bytes of UTF-8 take no room.
        text = $0
        gsub(/[\200-\277]/, "", text)
        if (length(text) > 100)
            bad("lines of at most 100 columns", FILENAME ":" FNR ": " length(text) " columns")
    }
    # The brace of a function, and of nothing else, stands alone at the start of a line.
    FILENAME ~ /\.[ch]$/ && /^\{/ { start = FNR }
    FILENAME ~ /\.[ch]$/ && /^\}$/ && start {
        len = FNR - start + 1
        if (len > 100)
            bad("functions of at most 100 lines", FILENAME ":" start ": " len " lines")
        else if (len > 70)
            print "# " FILENAME ":" start ": a function of " len " lines, more than a screen"
        start = 0
    }
    END {
        if (lines > 900)
            bad("files of at most 900 lines", last ": " lines " lines")
        verdict("files of at most 900 lines")
        verdict("functions of at most 100 lines")
        verdict("lines of at most 100 columns")
    }'

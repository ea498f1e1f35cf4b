#!/bin/sh
# Executes the rows of docs/SEE-IT.md: the last column's text must be in what the command prints.
# limit: 240
# run: background
# presets: release
# shellcheck disable=SC2016 # backticks in single quotes are meant
set -u

PATH=$(dirname "$TERN"):$PATH
export PATH LC_ALL=C.UTF-8 COLUMNS=100

# what is said, the command, and the texts, one row a line, separated by tabs
[ $# = 1 ] || sed -n 's/^| \(.*\) |$/\1/p' "$TERN_ROOT/docs/SEE-IT.md" | grep '`' |
    sed 's/\\|/\x01/g; s/ | /\t/g; s/\x01/|/g' >rows

# Is there a line in the file that has all pieces of the text, in their order?
found() { # TEXT FILE
    awk -v text="$1" '
        BEGIN { n = split(text, piece, "…") }
        {
            rest = $0
            for (i = 1; i <= n; i++) {
                at = index(rest, piece[i])
                if (at == 0)
                    next
                rest = substr(rest, at + length(piece[i]))
            }
            hit = 1
            exit
        }
        END { exit !hit }' "$2"
}

row() { # NUMBER: executes it
    said=$(sed -n "$1p" rows | cut -f 1)
    command=$(sed -n "$1p" rows | cut -f 3 | sed 's/^`//; s/`$//')
    sed -n "$1p" rows | cut -f 4 | grep -o '`[^`]*`' | sed 's/^`//; s/`$//' >"want.$1"
    if [ -z "$command" ] || [ ! -s "want.$1" ]; then
        echo "not ok $said - the row is malformed"
        return
    fi
    # What needs root is for who is root already, and may make a namespace and a TAP device.
    unprivileged=${command#sudo }
    if [ "$unprivileged" != "$command" ] && ! unshare -n sh -c ': <>/dev/net/tun' 2>/dev/null; then
        echo "skip $said - no right to make a namespace, or to open /dev/net/tun"
        return
    fi
    timeout 40 sh -c "$unprivileged" >"out.$1" 2>&1
    while IFS= read -r text; do
        if ! found "$text" "out.$1"; then
            echo "not ok $said - no line with: $text"
            sed 's/^/# /' "out.$1" | head -60
            return
        fi
    done <"want.$1"
    echo "ok $said"
}

if [ $# = 1 ]; then
    row "$1" >"verdict.$1"
    exit
fi

ln -s "$TERN_ROOT/tests" tests
rows=$(wc -l <rows)
if [ "$rows" -lt 30 ]; then
    echo "not ok rows are found - only $rows"
    exit 1
fi

# They mostly wait: eight at a time, and their verdicts in order.
seq "$rows" | xargs -n 1 -P 8 "$0"
i=1
while [ "$i" -le "$rows" ]; do
    cat "verdict.$i"
    i=$((i + 1))
done

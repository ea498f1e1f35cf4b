#!/bin/sh
# The model of connection management (tests/model), by spin: every run of it keeps what must never
# break and comes to its end; with a mistake put in, one of them does not.
# limit: 300
# presets: release
# run: background
set -u

if ! command -v spin >/dev/null; then
    echo "skip model - spin is missing"
    exit 0
fi

# The program that looks at all runs of the model, in the folder NAME.
build() { # NAME [-DMISTAKE]
    mkdir -p "$1"
    (
        cd "$1" || exit 1
        cpp -P -x assembler-with-cpp -I "$TERN_ROOT/src" ${2:+"$2"} \
            "$TERN_ROOT/tests/model/connection.pml" >model.pml &&
            spin -a model.pml && cc -O0 -w -DNFAIR=3 -o pan pan.c
    ) >"$1/log" 2>&1 || cat "$1/log"
}

check() { # NAME CLAIM: how many errors, the rest in NAME/CLAIM
    fair=
    [ "$2" != closes ] || fair=-f
    (cd "$1" && ./pan -a $fair -m100000 -N "$2" >"$2" 2>&1)
    sed -n 's/.*errors: \([0-9]*\).*/\1/p' "$1/$2"
}

build model
for claim in agreed ends waits closes; do
    errors=$(check model "$claim")
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "model/$claim")
    if [ "$errors" = 0 ] && ! grep -q 'max search depth too small' "model/$claim"; then
        echo "ok $claim: $states states"
    else
        cat "model/$claim"
        echo "not ok $claim - see the log"
    fi
done

finds() { # MISTAKE CLAIM
    build "$1" "-D$1"
    errors=$(check "$1" "$2")
    if [ "${errors:-0}" != 0 ]; then
        echo "ok $1 is found"
    else
        cat "$1/$2"
        echo "not ok $1 is found - $2 holds in spite of it"
    fi
}
finds MISTAKE_TIMER closes
finds MISTAKE_SYN agreed

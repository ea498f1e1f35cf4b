#!/bin/sh
# What is written stays true where a machine can tell: public functions are documented, links lead
# somewhere, named commands exist, nothing is left for later.
# shellcheck disable=SC2086 # $documents is a list
set -u
cd "$TERN_ROOT" || exit 2
tern=${TERN:-build/tern}
documents=$(find docs -name '*.md' 2>/dev/null)

# shellcheck source=tests/arch/verdict
. tests/arch/verdict

# A prototype has a comment at its end, or above the group it stands in: a group has no empty line.
verdict "public functions are documented" "$(awk '
    FNR == 1 { documented = 0; open = 0 }
    open { # the rest of a prototype that is longer than a line
        if (/;/) open = 0
        next
    }
    /^[a-z].*\(/ && !/^typedef/ && !/__attribute__\(\(/ {
        if (!documented && !/\/\*.*\*\//)
            print FILENAME ":" FNR ": " $0
        if (!/;/) open = 1
        next
    }
    /\*\/[ \t]*$/ { documented = !/^\/\* ----/; next }
    /^[ \t]*$/ || /^#/ { documented = 0 }' include/tern/*.h)"

verdict "links lead somewhere" "$(find . -name '*.md' -not -path './build/*' -not -path './.git/*' |
    while read -r f; do
        grep -oE '\]\([^)#][^)]*\)' "$f" | sed 's/^](//; s/)$//; s/#.*//' | while read -r to; do
            case $to in
            http://* | https://* | mailto:*) continue ;;
            esac
            [ -e "$(dirname "$f")/$to" ] || echo "$f: $to"
        done
    done)"

# What stands in code: between backticks, indented by four, or fenced; as FILE:LINE: TEXT.
code() {
    awk '
        FNR == 1 { fenced = 0 }
        /^```/ { fenced = !fenced; next }
        fenced || /^    / { print FILENAME ":" FNR ": " $0; next }
        {
            n = split($0, part, "`")
            for (i = 2; i <= n; i += 2)
                print FILENAME ":" FNR ": " part[i]
        }' "$@"
}

verdict "make targets in documents exist" "$(
    targets=$(sed -n 's/^\([a-z][a-z-]*\):.*/\1/p' Makefile)
    code ./*.md $documents | sed -nE 's/^([^ ]*) +(sudo )?make ([a-z-]+).*/\1 \3/p' |
        while read -r where name; do
            echo "$targets" | grep -qx -- "$name" || echo "$where make $name"
        done
)"

verdict "verbs in documents exist" "$(
    verbs=$($tern help | sed -n 's/^  \([a-z]*\) .*/\1/p')
    code ./*.md $documents | sed -nE 's/^([^ ]*) +(build\/)?tern ([a-z]+).*/\1 \3/p' |
        while read -r where name; do
            echo "$verbs" | grep -qx -- "$name" || echo "$where tern $name"
        done
)"

verdict "nothing is left for later" "$(grep -rnwE 'TO''DO|FIX''ME|X''XX' Makefile \
    src include tests examples bench scripts cmake ./*.md docs 2>/dev/null | head -n 20)"

verdict "the licence is there" "$(head -n 1 LICENSE | grep -q 'MIT License' || echo LICENSE)"

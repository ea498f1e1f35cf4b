#!/bin/sh
# No file that nothing uses: every .c is in a target, every .h is included, every script, document
# and corpus has a user.
set -u
cd "$TERN_ROOT" || exit 2

bad() {
    echo "not ok $1 - $2"
    failed=1
}
failed=

# A program that is to be unlike all others (static) is compiled by the script it is for.
built_by_a_test() {
    case $1 in
    tests/e2e/*) grep -qF "$1" tests/e2e/*.sh ;;
    *) false ;;
    esac
}

# CMake knows all targets of a preset; no preset is needed to have been built for that.
database=$TERN_BUILD/compile_commands.json
for f in $(find src tests examples bench -name '*.c' 2>/dev/null | sort); do
    case $f in
    tests/fuzz/replay.c) grep -q 'fuzz/replay\.c' cmake/tests.cmake && continue ;;
    esac
    grep -q "\"file\": \".*/$f\"" "$database" || built_by_a_test "$f" || bad "$f" "is in no target"
done

for f in $(find src tests examples bench -name '*.h' 2>/dev/null | sort); do
    name=$(basename "$f")
    grep -rqE "#include [\"<]([a-z0-9_./]*/)?${name}[\">]" src include tests examples bench \
        --include='*.[ch]' 2>/dev/null || bad "$f" "is included by nothing"
done

# A script is used when another file names it; tests are found by their folder.
for f in $(find scripts tests .ci -maxdepth 1 -type f | sort); do
    [ "$f" = .ci/run ] && continue
    grep -rqF --exclude-dir=.git --exclude-dir=build --exclude="$(basename "$f")" "$f" \
        Makefile scripts tests .ci cmake ./*.md docs 2>/dev/null || bad "$f" "is named nowhere"
done

for f in $(find docs -name '*.md' 2>/dev/null | sort); do
    grep -rqF --include='*.md' --exclude="$(basename "$f")" "$(basename "$f")" . ||
        bad "$f" "is linked from no other document"
done

for d in tests/fuzz/corpus/*/ tests/fuzz/dictionary/*; do
    [ -e "$d" ] || continue
    [ -e "tests/fuzz/fuzz_$(basename "$d").c" ] || bad "$d" "is of no fuzz target"
done

for f in $(find tests/arch tests/e2e -name '*.sh' 2>/dev/null | sort); do
    [ -x "$f" ] || grep -rqE "(\.|source) .*$(basename "$f")" tests || bad "$f" "cannot be run"
done

[ -n "$failed" ] || echo "ok no dead files"

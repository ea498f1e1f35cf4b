#!/bin/sh
# limit: 300
# `make amalgam`: the two files compile without a warning and without a C library's headers, for
# this processor and for one of microcontrollers; nothing but the public calls is visible from
# outside; a program is built with them, and behaves as with the library.
set -u
here=$PWD

"$TERN_ROOT/scripts/amalgam" "$here/tern" >log 2>&1 || cat log
flags="-std=c11 -O1 -ffreestanding -fno-stack-protector -U_FORTIFY_SOURCE -Wall -Wextra -Wpedantic
    -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-unknown-warning-option
    -Wno-string-conversion -Werror"

for cc in gcc arm-none-eabi-gcc clang; do
    [ $cc != clang ] || flags="$flags -fsyntax-only"
    if ! command -v $cc >/dev/null; then
        echo "skip freestanding-$cc - $cc is missing"
        continue
    fi
    # shellcheck disable=SC2086 # a list of flags
    if $cc $flags -c tern/tern.c -o $cc.o 2>err; then
        echo "ok freestanding-$cc"
    else
        echo "not ok freestanding-$cc - $(grep -m 1 error err)"
    fi
done

outside=$(nm --defined-only --extern-only --format=posix gcc.o | awk '$1 !~ /^tern_/ { print $1 }')
if [ -z "$outside" ]; then
    echo "ok only public names"
else
    echo "not ok only public names - $(echo "$outside" | tr '\n' ' ')"
fi
imports=$(nm --undefined-only --format=posix gcc.o |
    awk '$1 !~ /^(mem(cpy|move|set|cmp)|_GLOBAL_OFFSET_TABLE_)$/ { print $1 }')
if [ -z "$imports" ]; then
    echo "ok imports only mem*"
else
    echo "not ok imports only mem* - $(echo "$imports" | tr '\n' ' ')"
fi

if make -s -C "$TERN_ROOT/examples/embed" two-files AMALGAM="$here" OUT="$here" \
    CFLAGS=-O0 >err 2>&1; then
    echo "ok builds-echo"
else
    echo "not ok builds-echo - $(head -n 3 err)"
fi

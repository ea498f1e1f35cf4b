#!/bin/sh
# libtern has no state of its own and needs nothing but mem*: judged from the archive itself.
set -u
lib=${TERN_LIB:-$TERN_BUILD/libtern.a}

if [ ! -e "$lib" ]; then
    echo "not ok libtern - $lib does not exist"
    exit
fi

# The machine code alone: beside what link-time optimisation keeps, nm shows only that, which does
# not say what the compiler itself has called.
objcopy -R '.gnu.lto_*' -R '.gnu.debuglto_*' "$lib" code.a
lib=code.a

# Sections that are writable and not empty. Constants that only hold addresses are relocated once
# and then read-only: .data.rel.ro.
all() { echo "$1" | tr '\n' ' '; }

writable=$(readelf -SW "$lib" | sed 's/\[ */[/' | awk '
    /^File:/ { file = $2 }
    /^ *\[[0-9]/ && $2 !~ /^\.data\.rel\.ro/ && $6 !~ /^0+$/ && $8 ~ /W/ { print file ":" $2 }')
common=$(nm "$lib" | awk '$2 == "C" { print $3 }')
if [ -z "$writable$common" ]; then
    echo "ok nothing writable"
else
    echo "not ok nothing writable - $(all "$writable $common")"
fi

imports=$(nm --format=posix "$lib" | awk '
    $2 == "U" || $2 == "w" { used[$1] = 1 }
    NF > 2 && $2 != "U" && $2 != "w" { defined[$1] = 1 }
    END {
        for (s in used)
            if (!(s in defined) && s !~ /^mem(cpy|move|set|cmp)$/ && s != "_GLOBAL_OFFSET_TABLE_")
                print s
    }')
if [ -z "$imports" ]; then
    echo "ok imports only mem*"
else
    echo "not ok imports only mem* - $(all "$imports")"
fi

if nm --format=posix "$lib" | grep -q '^tern_assert_failed W'; then
    echo "ok the assert hook can be replaced"
else
    echo "not ok the assert hook can be replaced - tern_assert_failed is not weak"
fi

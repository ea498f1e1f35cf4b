#!/bin/sh
# limit: 300
# libtern by itself: built without looking for any library, as for a machine without a C library's
# help, it still imports nothing but mem*.
set -u
here=$PWD

PKG_CONFIG=/nonexistent cmake -S "$TERN_ROOT" -B "$here/out" -DTERN_COMMAND=OFF -DTERN_WERROR=ON \
    -DCMAKE_BUILD_TYPE=MinSizeRel -DCMAKE_C_FLAGS=-ffreestanding >log 2>&1 &&
    cmake --build out >>log 2>&1
if [ -s out/libtern.a ]; then
    echo "ok freestanding"
    TERN_LIB=$here/out/libtern.a "$TERN_ROOT/tests/arch/symbols.sh"
else
    grep -E 'error|Error' log
    echo "not ok freestanding - $(tail -n 1 log)"
fi

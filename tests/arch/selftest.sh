#!/bin/sh
# limit: 300
# The other checks of this folder can fail: each is shown a copy of the tree with one more thing
# wrong, and must find it.
set -u
here=$PWD
copy=$here/tree

cd "$TERN_ROOT" || exit 2
fresh() {
    rm -rf "$copy"
    mkdir "$copy"
    tar -cf - --exclude=./build --exclude=./.git . | tar -xf - -C "$copy"
    mkdir -p "$copy/src/base" "$copy/src/tcp" "$copy/src/cmd" "$copy/docs"
}

check() { # CHECK: what is wrong with the copy
    (cd "$here" && env TERN_ROOT="$copy" "$TERN_ROOT/tests/arch/$1.sh" | grep '^not ok')
}

# finds NAME CHECK: the check finds something in the copy that it does not find in the tree.
finds() {
    check "$2" >"$here/found"
    if grep -qvxFf "$here/before.$2" "$here/found"; then
        echo "ok $1"
    else
        echo "not ok $1 - $2.sh did not find it"
    fi
    fresh
}

fresh
for name in rooms dead sizes docs; do
    check $name >"$here/before.$name"
done

echo '#include "tcp/tcp.h"' >"$copy/src/base/planted.h"
finds "base includes tcp" rooms
echo '#include "ip/ip.h"' >"$copy/src/tcp/planted.h"
finds "tcp includes ip" rooms
echo '#include "stack/stack.h"' >"$copy/src/cmd/planted.h"
finds "cmd includes stack" rooms
echo '#include <stdio.h>' >"$copy/src/base/planted.h"
finds "libtern includes stdio" rooms
echo '#include "tern/socket.h"' >"$copy/src/base/planted.h"
finds "libtern includes a header of the rooms above" rooms
echo '#include "base/util.h"' >>"$copy/include/tern/tern.h"
finds "a public header includes a private one" rooms
mkdir "$copy/src/attic"
echo 'int x;' >"$copy/src/attic/x.c"
finds "an unlisted room" rooms

echo 'int planted;' >"$copy/src/base/planted.c"
finds "a file in no target" dead
: >"$copy/src/base/planted.h"
finds "a header nobody includes" dead
: >"$copy/scripts/plan""ted" # not a name that stands here
finds "a script nobody names" dead
echo text >"$copy/docs/PLANTED.md"
finds "a document nobody links" dead
mkdir -p "$copy/tests/fuzz/corpus/planted"
finds "a corpus without a target" dead

yes '/* x */' | head -n 901 >"$copy/src/base/planted.h"
finds "a long file" sizes
{ printf 'void f(void)\n{\n'; yes '    ;' | head -n 101; echo '}'; } >"$copy/src/base/planted.h"
finds "a long function" sizes
printf '/* %0100d */\n' 0 >"$copy/src/base/planted.h"
finds "a wide line" sizes

printf '\nint tern_planted(void);\n' >>"$copy/include/tern/info.h"
finds "an undocumented function" docs
echo '[x](docs/nowhere.md)' >>"$copy/README.md"
finds "a broken link" docs
printf '\n    make planted\n' >>"$copy/README.md"
finds "a make target that does not exist" docs
printf '\n    tern planted\n' >>"$copy/README.md"
finds "a verb that does not exist" docs
echo "/* TO""DO */" >"$copy/src/base/planted.h"
finds "something left for later" docs
rm "$copy/LICENSE"
finds "no licence" docs

# libtern with one more object in it.
lib=$here/libtern.a
planted() { # NAME C-SOURCE
    cp "$TERN_BUILD/libtern.a" "$lib"
    echo "$2" >"$here/planted.c"
    cc -fPIC -c "$here/planted.c" -o "$here/planted.o"
    ar q "$lib" "$here/planted.o" 2>/dev/null
    if (cd "$here" && TERN_LIB=$lib "$TERN_ROOT/tests/arch/symbols.sh") | grep -q '^not ok'; then
        echo "ok $1"
    else
        echo "not ok $1 - symbols.sh did not find it"
    fi
}
planted "initialised data" 'int planted = 1;'
planted "zeroed data" 'static int planted; int f(void) { return planted++; }'
planted "a cache in a function" 'int f(void) { static int planted = 7; return planted++; }'
planted "thread-local data" 'static _Thread_local int planted; int f(void) { return planted++; }'
planted "malloc" 'void *malloc(unsigned long); void *f(void) { return malloc(1); }'

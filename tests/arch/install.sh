#!/bin/sh
# limit: 300
# What make install gives to others: it works from where it is put, and make uninstall takes all of
# it away. The scratch folder is the current one.
set -u
here=$PWD

fine() { echo "ok $1"; }
wrong() { echo "not ok $1 - $2"; }

make -s -C "$TERN_ROOT" install DESTDIR="$here/dest" PREFIX=/opt/tern >install.log 2>&1 ||
    wrong install "$(tail -n 3 install.log)"
prefix=$here/dest/opt/tern

for file in bin/tern lib/libtern.a include/tern/tern.h lib/pkgconfig/tern.pc \
    lib/cmake/tern/tern-config.cmake share/man/man1/tern.1 \
    share/bash-completion/completions/tern share/zsh/site-functions/_tern \
    share/fish/vendor_completions.d/tern.fish; do
    if [ -s "$prefix/$file" ]; then
        fine "installed-$file"
    else
        wrong "installed-$file" "is missing"
    fi
done
"$prefix/bin/tern" --version >/dev/null && fine runs

# What was made when it was built is what this command would make.
mkdir own
"$prefix/bin/tern" help --man own
"$prefix/bin/tern" completion bash >own.bash
"$prefix/bin/tern" completion zsh >own.zsh
"$prefix/bin/tern" completion fish >own.fish
if diff -r own "$prefix/share/man/man1" >stale &&
    diff own.bash "$prefix/share/bash-completion/completions/tern" >>stale &&
    diff own.zsh "$prefix/share/zsh/site-functions/_tern" >>stale &&
    diff own.fish "$prefix/share/fish/vendor_completions.d/tern.fish" >>stale; then
    fine man-pages-and-completions-are-new
else
    wrong man-pages-and-completions-are-new "$(head -n 3 stale)"
fi

# Headers stand alone, in C and in C++, and a program links with nothing else.
flags=$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags --libs tern)
for header in "$prefix"/include/tern/*.h; do
    name=tern/$(basename "$header")
    printf '#include "%s"\nint main(void) { return 0; }\n' "$name" >alone.c
    # shellcheck disable=SC2086 # a list of flags
    if cc -std=c11 -Wall -Wextra -Wpedantic -Werror alone.c -o alone $flags 2>err; then
        fine "C-$name"
    else
        wrong "C-$name" "$(head -n 3 err)"
    fi
    printf '#include "%s"\n' "$name" >alone.cc
    if ! command -v clang >/dev/null; then
        echo "skip C++-$name - clang is missing"
    elif clang -x c++ -std=c++17 -fsyntax-only -I "$prefix/include" alone.cc 2>err; then
        fine "C++-$name"
    else
        wrong "C++-$name" "$(head -n 3 err)"
    fi
done
for example in "$TERN_ROOT"/examples/*.c; do
    [ -e "$example" ] || continue
    posix=
    grep -q '"tern/socket.h"' "$example" && posix=-ltern_posix
    # shellcheck disable=SC2086
    if cc -std=c11 -D_GNU_SOURCE "$example" -o example ${flags%%-ltern*} $posix -ltern 2>err; then
        fine "builds-$(basename "$example")"
    else
        wrong "builds-$(basename "$example")" "$(head -n 3 err)"
    fi
done
# As others' builds find it.
if cmake -S "$TERN_ROOT/examples/embed" -B cmake-example -DCMAKE_PREFIX_PATH="$prefix" >err 2>&1 &&
    cmake --build cmake-example >>err 2>&1; then
    fine find_package
else
    wrong find_package "$(grep -m 1 -i error err)"
fi
if PKG_CONFIG_PATH=$prefix/lib/pkgconfig make -s -C "$TERN_ROOT/examples/embed" installed \
    OUT="$here" 2>err; then
    fine pkg-config
else
    wrong pkg-config "$(head -n 3 err)"
fi

make -s -C "$TERN_ROOT" uninstall DESTDIR="$here/dest" PREFIX=/opt/tern >uninstall.log 2>&1
left=$(find "$here/dest" -type f)
if [ -z "$left" ] && [ ! -d "$prefix/include/tern" ]; then
    fine uninstall
else
    wrong uninstall "left behind: $left"
fi

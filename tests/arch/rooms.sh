#!/bin/sh
# Every #include in src and include keeps to the table rooms.txt.
set -u
cd "$TERN_ROOT" || exit 2

# shellcheck disable=SC2016 # awk's own
find src include -name '*.[ch]' | sort | xargs awk '
    # First the table.
    FILENAME == ARGV[1] {
        if ($1 == "headers")
            for (i = 2; i <= NF; i++) header[$i] = 1
        else if ($1 == "libtern")
            for (i = 2; i <= NF; i++) libtern[$i] = 1
        else if ($1 == "above")
            for (i = 2; i <= NF; i++) above["include/tern/" $i] = 1
        else if ($1 !~ /^#/ && NF) {
            room[$1] = allowed[$1, $1] = allowed[$1, "tern"] = 1
            for (i = 2; i <= NF; i++) allowed[$1, $i] = 1
        }
        next
    }
    function bad(why) { print "not ok " FILENAME ":" FNR " - " why; failed++ }
    FNR == 1 {
        files++
        split(FILENAME, part, "/")
        here = part[1] == "include" ? "tern" : part[2]
        if (here != "tern" && !(here in room))
            bad("the room " here " is not in rooms.txt")
    }
    /^[ \t]*#[ \t]*include/ {
        target = $0
        sub(/^[ \t]*#[ \t]*include[ \t]*/, "", target)
        name = substr(target, 2, match(substr(target, 2), /[">]/) - 1)
        split(name, to, "/")
        if (target ~ /^</) {
            if ((here in libtern || here == "tern") && !(FILENAME in above) && !(name in header))
                bad("libtern may not use <" name ">")
        } else if (here in libtern && ("include/" name) in above) {
            bad("libtern may not use " name)
        } else if (here == "tern") {
            if (to[1] != "tern")
                bad("a public header includes " name)
        } else if (!((here, to[1]) in allowed)) {
            bad(here " may not include " name)
        }
    }
    END {
        if (!failed)
            print "ok includes of " files " files"
    }' tests/arch/rooms.txt

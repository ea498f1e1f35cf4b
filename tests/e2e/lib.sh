# lib.sh - what scripts about `tern run` share.

# The digest of the first N bytes of /bytes/N, computed by other means than src/host/site.c does.
digest_of() { # N
    python3 -c '
import sys
from hashlib import sha256
def byte(i):
    x = i * 2654435761 & 0xffffffff
    x ^= x >> 15
    return (x * 2246822519 & 0xffffffff) >> 24
pattern = bytes(byte(i) for i in range(65521)) * 16
left, h = int(sys.argv[1]), sha256()
while left:
    n = min(left, len(pattern))
    h.update(pattern[:n])
    left -= n
print(h.hexdigest())' "$1"
}

# verdict NAME STATUS WHY...
verdict() {
    name=$1 status=$2
    shift 2
    if [ "$status" = 0 ]; then
        echo "ok $name"
    else
        echo "not ok $name - $*"
    fi
}

# Compares the digest of standard input.
same_digest() { # NAME WANTED
    got=$(sha256sum | cut -d ' ' -f 1)
    [ "$got" = "$2" ]
    verdict "$1" $? "the digest is $got, not $2"
}

# A static program, in the folder it is called in.
build_static() {
    if command -v musl-gcc >/dev/null; then
        musl-gcc -O2 -static -o fetch "$TERN_ROOT/tests/e2e/fetch.c"
    else
        gcc -O2 -static -o fetch "$TERN_ROOT/tests/e2e/fetch.c"
    fi
}

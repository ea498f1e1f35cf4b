#!/bin/sh
# tern doctor: each thing is found where it is, missed where it is not, with what to do; the
# exit status says whether the verbs asked for are ready.
# shellcheck disable=SC2016 # what is in single quotes another shell expands
set -u

fine() { echo "ok $1"; }
wrong() { echo "not ok $1 - $2"; }

# Its folder, as the tests', is its user's alone.
export XDG_RUNTIME_DIR="$TMPDIR/runtime"
mkdir -m 700 "$XDG_RUNTIME_DIR"

# finds NAME STATUS PATTERN... -- COMMAND...: that status, and a line for each pattern
finds() {
    name=$1 status=$2
    shift 2
    : >patterns
    while [ "$1" != -- ]; do
        printf '%s\n' "$1" >>patterns
        shift
    done
    shift
    timeout 60 "$@" >out 2>&1
    got=$?
    while read -r pattern; do
        if ! grep -qE -e "$pattern" out; then
            wrong "$name" "no line matches $pattern in: $(cat out)"
            return
        fi
    done <patterns
    if [ "$got" = "$status" ]; then fine "$name"; else wrong "$name" "status $got: $(cat out)"; fi
}

root=$(id -u)

finds run 0 '^tern run: ready' 'ok  kernel' 'ok  seccomp_notify' 'ok  memory' \
    "ok  fetch .*in [0-9]+ ms" -- "$TERN" doctor run
finds ss 0 '^tern ss: ready' "ok  control .*: .*runtime/tern$" -- "$TERN" doctor ss
finds verbs-that-need-nothing 0 -- "$TERN" doctor drill help
finds unknown-verb 2 'sserve: no such verb' -- "$TERN" doctor sserve
timeout 60 "$TERN" doctor run >out 2>&1
if grep -q "tern ss\|tern serve" out; then wrong only-what-is-asked "$(cat out)"; else
    fine only-what-is-asked
fi
if [ "$root" = 0 ]; then
    # A network of its own: what is made there is seen by nobody.
    finds tun 0 'tern serve, connect, listen: ready' 'ok  tun' 'ok  offload' -- \
        unshare --net "$TERN" doctor serve
else
    echo "skip tun - only root makes interfaces"
fi

# ---- what is missing -----------------------------------------------------------------------------

finds old-kernel 1 '^tern run: not here' 'no  kernel .*: 2\.6\.' 'start a newer kernel' -- \
    setarch --uname-2.6 "$TERN" doctor run
finds under-tern-run 1 'no  seccomp_notify .*already under tern run' \
    'without the inner tern run' -- "$TERN" run -q -- "$TERN" doctor run
finds without-options 0 '^tern run: ready' 'no  addfd_send' 'no  pidfd_getfd' 'no  process_vm' \
    'no  sync_wake' 'no  epoll_pwait2' 'optional: turned off by TERN_DISABLE' 'ok  fetch' -- \
    env TERN_DISABLE=addfd_send,pidfd_getfd,process_vm,sync_wake,epoll_pwait2 "$TERN" doctor run
finds no-folder 1 '^tern ss: not here' 'no  control' 'set XDG_RUNTIME_DIR' -- \
    unshare --map-root-user --mount sh -c 'exec 9<"$TERN"
        mount -t tmpfs -o ro none /run && mount -t tmpfs -o ro none /tmp || exit 77
        XDG_RUNTIME_DIR=/proc /proc/self/fd/9 doctor ss'

if [ "$root" = 0 ]; then
    finds no-device 1 'no  tun .*there is no such device' '(modprobe tun|--device /dev/net/tun)' \
        -- unshare --mount sh -c 'mount -t tmpfs none /dev/net && "$TERN" doctor connect'
    finds closed-device 1 'no  tun .*no right to open it' \
        '(run tern as root|--device /dev/net/tun)' 'no  namespace .*no right' -- \
        unshare --mount sh -c 'exec 9<"$TERN"
            mount -t tmpfs none /dev/net && mknod -m 600 /dev/net/tun c 10 200 &&
            setpriv --reuid 65534 --regid 65534 --clear-groups /proc/self/fd/9 doctor listen'
    finds lower-rung 0 'no  offload .*: checksums' -- env TERN_DISABLE=tun_uso,tun_tso \
        unshare --net "$TERN" doctor serve
fi

# ---- what stays ----------------------------------------------------------------------------------

if [ -z "$(ls -A "$XDG_RUNTIME_DIR/tern")" ]; then
    fine leaves-no-socket
else
    wrong leaves-no-socket "$(ls -A "$XDG_RUNTIME_DIR/tern")"
fi

timeout 60 "$TERN" doctor --json run ss >out.json 2>err
if python3 - <<'END' >out 2>&1
import json
d = json.load(open('out.json'))
assert d['ready'] == {'run': True, 'ss': True}, d['ready']
c = {x['id']: x for x in d['checks']}
assert {'kernel', 'seccomp_notify', 'memory', 'fetch', 'control', 'pidfd_getfd'} <= set(c), set(c)
assert c['fetch']['ok'] and c['fetch']['needed'] and c['fetch']['verbs'] == ['run'], c['fetch']
assert not c['pidfd_getfd']['needed'] and c['control']['detail'].endswith('/tern'), c
END
then fine json; else wrong json "$(cat out err)"; fi

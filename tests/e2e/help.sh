#!/bin/bash
# limit: 240
# run: background
# presets: release
# What the help says is so: each verb has examples, and each of them is typed as it stands, in a
# network of its own. `then: COMMAND` is for another terminal.
set -u

fine() { echo "ok $1"; }
wrong() { echo "not ok $1 - $2"; }

# In a network and a /run that nobody else sees, where root may do all.
if [ "${1-}" != inside ]; then
    if unshare --net --mount true 2>/dev/null; then
        exec unshare --net --mount "$0" inside
    elif unshare --map-root-user --net --mount true 2>/dev/null; then
        exec unshare --map-root-user --net --mount "$0" inside
    fi
    echo "skip examples - no namespaces here"
    exit 0
fi
mount -t tmpfs none /run && ip link set lo up || exit 1
mkdir -p bin /run/nginx
ln -s "${TERN:?}" bin/tern
printf '#!/bin/sh\nexec "$@"\n' >bin/sudo
chmod +x bin/sudo
export PATH=$PWD/bin:$PATH LC_ALL=C.UTF-8 TERM=dumb

# What examples find in their folder: captures of three connections, scripts, a file to send.
tern run -q --pcapng trace.pcapng -- sh -c '
    curl -s -o /dev/null http://192.0.2.80/; curl -s -o /dev/null http://192.0.2.80/reset
    curl -s -o /dev/null http://192.0.2.80:443/; curl -s -o /dev/null http://192.0.2.80/; true'
editcap -F pcap trace.pcapng trace.pcap
mkdir -p tests/drill
cp "$TERN_ROOT/tests/drill/linux/handshake-passive.pkt" handshake.pkt
cp handshake.pkt tests/drill
echo hello >file

# Somebody for tern ss to see, and for tern connect to greet.
exec 8> >(exec tern run -q -- cat 2>/dev/null)
printf 'SSH-2.0-none\r\n' | timeout 200 nc -l -N 22 >/dev/null 2>&1 &

# then_works COMMAND: it does, before long.
then_works() {
    for _ in $(seq 100); do
        timeout 10 bash -c "$1" >then.out 2>&1 </dev/null && return 0
        sleep 0.2
    done
    return 1
}

# Ends a command that stays, and all it has started, as Ctrl-C would.
interrupt() { # PID of a session
    for signal in INT TERM KILL; do
        pkill "-$signal" -s "$1"
        for _ in $(seq 50); do
            pgrep -s "$1" >/dev/null || return 0
            sleep 0.1
        done
    done
}

example() { # NAME COMMAND WHAT: types it
    shell=bash
    case $3 in
    "for this "*)
        shell=${3#for this }
        shell=${shell%%[!a-z]*}
        ;;
    esac
    case $2 in
    *zsh*) set -- "$1" "autoload -U compinit; compinit -D; $2" "$3" ;;
    *nginx*) set -- "$1" "${2//nginx -g/nginx -c $PWD/nginx.conf -g}" "$3" ;;
    esac
    if ! command -v "$shell" >/dev/null; then
        echo "skip $1 - $shell is missing"
    elif [[ $3 == *then:\ * ]]; then
        setsid "$shell" -c "$2" >out 2>&1 </dev/null &
        if then_works "${3##*then: }"; then fine "$1"; else
            wrong "$1" "$(cat then.out out | tail -n 5)"
        fi
        interrupt $!
        wait $! 2>/dev/null
    elif [[ $2 == watch* ]]; then
        timeout 3 "$shell" -c "$2" >out 2>&1 </dev/null
        if [ $? = 124 ]; then fine "$1"; else wrong "$1" "$(tail -n 5 out)"; fi
    else
        timeout 60 "$shell" -c "$2" >out 2>&1 </dev/null
        status=$?
        if [ $status = 0 ]; then fine "$1"; else
            wrong "$1" "status $status: $(tail -n 5 out)"
        fi
    fi
}

cat >nginx.conf <<END
error_log stderr;
pid $PWD/nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path $PWD; proxy_temp_path $PWD; fastcgi_temp_path $PWD;
    uwsgi_temp_path $PWD; scgi_temp_path $PWD;
    server { listen 80; return 200 "here\n"; }
}
END

verbs=$(tern help | sed -n '/^Exit status/q; s/^  \([a-z]\{1,\}\) .*/\1/p')
for verb in $verbs; do
    tern help "$verb" >help.txt
    awk '/^Examples:/ { on = 1; next } /^[^ ]/ { on = 0 }
         on && /^  [^ ]/ { line = substr($0, 3) }
         on && /^      / { print line "\t" substr($0, 7) }' help.txt >examples.txt
    if [ ! -s examples.txt ]; then wrong "$verb has an example" "none"; fi
    while IFS=$'\t' read -r line what <&3; do
        example "$line" "$line" "$what"
    done 3<examples.txt
    if ! grep -qF "$verb" "$TERN_ROOT/README.md"; then 
        wrong "README tells of $verb" "it does not"
    fi
done
exec 8>&-

# ---- colours -------------------------------------------------------------------------------------

on_a_terminal() { # VARIABLE=VALUE... : what a terminal would show, as one line
    timeout 30 env "$@" script -qec 'tern run -- curl -s http://192.0.2.80/' /dev/null </dev/null |
        tr -d '\n'
}
escape=$(printf '\033[')
case $(on_a_terminal TERM=xterm NO_COLOR=) in
*"$escape"*) fine "colours on a terminal" ;;
*) wrong "colours on a terminal" "there are none" ;;
esac
for setting in "TERM=xterm NO_COLOR=1" "TERM=dumb NO_COLOR="; do
    # shellcheck disable=SC2086 # two settings
    case $(on_a_terminal $setting) in
    *"$escape"*) wrong "no colours with $setting" "there are" ;;
    *SYN*) fine "no colours with $setting" ;;
    *) wrong "no colours with $setting" "nothing is shown" ;;
    esac
done
case $(TERM=xterm tern run -- curl -s http://192.0.2.80/ 2>&1) in
*"$escape"*) wrong "no colours in a file" "there are" ;;
*) fine "no colours in a file" ;;
esac

#!/bin/sh
# The command itself: verbs, mistakes, exit codes, man pages, completion in three shells.
set -u

fine() { echo "ok $1"; }
wrong() { echo "not ok $1 - $2"; }

# says NAME STATUS TEXT COMMAND...: the command ends with STATUS and says TEXT somewhere.
says() {
    name=$1 status=$2 text=$3
    shift 3
    out=$("$@" 2>&1)
    got=$?
    case $got:$out in
    "$status":*"$text"*) fine "$name" ;;
    *) wrong "$name" "status $got: $out" ;;
    esac
}

says version 0 "tern " "$TERN" --version
says help 0 "usage: tern VERB" "$TERN" help
says help-option 0 "usage: tern VERB" "$TERN" --help
says help-of-a-verb 0 "usage: tern completion" "$TERN" help completion
says help-after-a-verb 0 "usage: tern completion" "$TERN" completion --help
says no-verb 2 "usage: tern VERB" "$TERN"
says unknown-verb 2 "tern: hlep: no such verb; did you mean help?" "$TERN" hlep
says help-of-an-unknown-verb 2 "tern help: x: no such verb" "$TERN" help x
says unknown-option 2 "tern help: --mna: no such option; did you mean --man?" "$TERN" help --mna x
says too-few-operands 2 "too few arguments; usage: tern completion" "$TERN" completion
says too-many-operands 2 "too many arguments; usage: tern completion" "$TERN" completion zsh bash
says unknown-shell 2 "must be bash, zsh or fish" "$TERN" completion tcsh
says no-such-folder 1 "No such file or directory" "$TERN" help --man nowhere

if "$TERN" help >/dev/full 2>err; then
    wrong full-output "a full standard output was not noticed"
else
    fine full-output
fi

has() { # TOOL: or says that what needs it is skipped
    command -v "$1" >/dev/null && return 0
    echo "skip with-$1 - $1 is missing"
    return 1
}

mkdir man
"$TERN" help --man man
if has mandoc; then
    for verb in $("$TERN" help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
        if [ -s "man/tern-$verb.1" ] && mandoc -T lint -W error "man/tern-$verb.1" >lint.out; then
            fine "man-page-of-$verb"
        else
            wrong "man-page-of-$verb" "$(cat lint.out)"
        fi
    done
    says man-page 0 "TCP outside the kernel" mandoc -T utf8 man/tern.1
fi

# completes NAME EXPECTED: what a shell's completion in the file `got` offers.
completes() {
    if grep -qx -e "$2" got; then
        fine "$1"
    else
        wrong "$1" "$2 is not among: $(tr '\n' ' ' <got)"
    fi
}

"$TERN" completion bash >tern.bash
bash_offers() { # WORD...: the last is being typed
    bash -c '. ./tern.bash; COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); _tern
             printf "%s\n" "${COMPREPLY[@]}"' bash "$@" >got 2>&1
}
bash_offers tern com && completes bash-verb completion
bash_offers tern help --m && completes bash-option --man
bash_offers tern help co && completes bash-operand-verb completion
bash_offers tern completion f && completes bash-operand-word fish
touch file-to-find
bash_offers tern help --man file-to && completes bash-file file-to-find
bash_offers tern help --man = file-to && completes bash-file-after-equals file-to-find

fish_offers() { # LINE
    HOME=$PWD fish --no-config -c "source tern.fish; complete -C '$1'" 2>&1 | cut -f 1 >got
}
"$TERN" completion fish >tern.fish
if has fish; then
    fish_offers "tern com" && completes fish-verb completion
    fish_offers "tern help --m" && completes fish-option --man
    fish_offers "tern completion z" && completes fish-operand-word zsh
fi

"$TERN" completion zsh >_tern
if has zsh; then
    if zsh -f -n _tern 2>err; then
        fine zsh-syntax
    else
        wrong zsh-syntax "$(cat err)"
    fi
fi

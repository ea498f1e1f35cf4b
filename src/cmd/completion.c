/* completion.c - `tern completion SHELL`: what a shell needs to complete tern's command line.
 *
 * Each script knows the verbs, each verb's options, and what may stand for a value: choices, a
 * file, or, after a verb of that kind, a program with its arguments.
 */
#include "cmd/cmd.h"

#include <string.h>

static bool shown(const struct opt *o) { return o->type != OPT_IS_HEADING && !o->hidden; }
static bool takes_value(const struct opt *o) { return o->type != OPT_IS_FLAG; }

/* Text inside single quotes of a shell, with `also` escaped by a backslash (for zsh's own syntax);
 * in fish a backslash escapes the quote itself. */
static void quoted(FILE *f, const char *s, const char *also, const char *quote)
{
    for (; *s; s++) {
        if (*s == '\'')
            fputs(quote, f);
        else if (strchr(also, *s))
            fprintf(f, "\\%c", *s);
        else
            fputc(*s, f);
    }
}

static void verb_names(FILE *f)
{
    for (const struct command *const *c = commands; *c; c++)
        fprintf(f, "%s%s", c == commands ? "" : " ", (*c)->name);
}

static void choices(FILE *f, const char *const *list)
{
    for (const char *const *c = list; *c; c++)
        fprintf(f, "%s%s", c == list ? "" : " ", *c);
}

/* ---- bash ------------------------------------------------------------------------------------ */

static void bash_value(FILE *f, const struct command *c, const struct opt *o)
{
    fprintf(f, "    '%s --%s'", c->name, o->name);
    if (o->letter)
        fprintf(f, " | '%s -%c'", c->name, o->letter);
    if (o->type == OPT_IS_CHOICE) {
        fputs(") words='", f);
        choices(f, o->choices);
        fputs("' ;;\n", f);
    } else if (o->type == OPT_IS_FILE) {
        fputs(") mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n", f);
    } else {
        fputs(") return ;;\n", f);
    }
}

static void bash_words(FILE *f, const struct command *c)
{
    fprintf(f, "    %s) words='", c->name);
    for (size_t i = 0; i < c->opt_count; i++)
        if (shown(&c->opts[i]))
            fprintf(f, "--%s ", c->opts[i].name);
    fputs("--help", f);
    if (c->operand_kind == OPERANDS_VERBS) {
        fputc(' ', f);
        verb_names(f);
    }
    if (c->operand_words) {
        fputc(' ', f);
        choices(f, c->operand_words);
    }
    fputs("' ;;\n", f);
}

static void bash_operands(FILE *f)
{
    fputs("    [[ $cur != -* ]] || return 0\n    case $verb in\n", f);
    for (const struct command *const *c = commands; *c; c++) {
        if ((*c)->operand_kind == OPERANDS_PROGRAM)
            fprintf(f, "    %s) mapfile -t COMPREPLY < <(compgen -c -- \"$cur\") ;;\n", (*c)->name);
        if ((*c)->operand_kind == OPERANDS_FILES)
            fprintf(f, "    %s) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n", (*c)->name);
    }
    fputs("    esac\n", f);
}

/* bash cuts --name=value into three words; the value's option is then two words back. After `--`
 * another program's arguments follow, which bash-completion completes when it is there. */
void completion_bash(FILE *f)
{
    fputs("# bash completion for tern; written by: tern completion bash\n"
          "_tern()\n{\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} words='' before i\n"
          "    before=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    COMPREPLY=()\n"
          "    if (( COMP_CWORD == 1 )); then\n"
          "        mapfile -t COMPREPLY < <(compgen -W '",
          f);
    verb_names(f);
    fputs(" --help --version' -- \"$cur\")\n"
          "        return\n"
          "    fi\n"
          "    for (( i = 2; i < COMP_CWORD; i++ )); do\n"
          "        [[ ${COMP_WORDS[i]} == -- ]] || continue\n"
          "        if declare -F _command_offset >/dev/null; then\n"
          "            _command_offset $(( i + 1 ))\n"
          "        elif (( i + 1 == COMP_CWORD )); then\n"
          "            mapfile -t COMPREPLY < <(compgen -c -- \"$cur\")\n"
          "        else\n"
          "            mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
          "        fi\n"
          "        return\n"
          "    done\n"
          "    if [[ $cur == '=' ]]; then\n"
          "        cur=''\n"
          "    elif [[ $before == '=' ]]; then\n"
          "        before=${COMP_WORDS[COMP_CWORD-2]}\n"
          "    fi\n"
          "    case \"$verb $before\" in\n",
          f);
    for (const struct command *const *c = commands; *c; c++)
        for (size_t i = 0; i < (*c)->opt_count; i++)
            if (shown(&(*c)->opts[i]) && takes_value(&(*c)->opts[i]))
                bash_value(f, *c, &(*c)->opts[i]);
    fputs("    *) case $verb in\n", f);
    for (const struct command *const *c = commands; *c; c++)
        bash_words(f, *c);
    fputs("    esac ;;\n    esac\n"
          "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
          "    (( ${#COMPREPLY[@]} == 0 )) || return 0\n",
          f);
    bash_operands(f);
    fputs("}\ncomplete -F _tern tern\n", f);
}

/* ---- zsh ------------------------------------------------------------------------------------- */

static void zsh_option(FILE *f, const struct opt *o, const char *dashes, const char *name)
{
    char buf[OPTS_ERROR_MAX];
    fprintf(f, "            '%s%s", dashes, name);
    if (takes_value(o))
        fputs(dashes[1] ? "=" : "+", f);
    fputc('[', f);
    quoted(f, o->help, "[]:", "'\\''");
    fputc(']', f);
    if (takes_value(o)) {
        fputc(':', f);
        quoted(f, o->type == OPT_IS_CHOICE ? o->name : opt_arg(o, buf, sizeof(buf)), ":", "'\\''");
        fputc(':', f);
    }
    if (o->type == OPT_IS_CHOICE) {
        fputc('(', f);
        choices(f, o->choices);
        fputc(')', f);
    } else if (o->type == OPT_IS_FILE) {
        fputs("_files", f);
    }
    fputs("' \\\n", f);
}

static void zsh_command(FILE *f, const struct command *c)
{
    fprintf(f, "    %s)\n        _arguments -s -S \\\n", c->name);
    for (size_t i = 0; i < c->opt_count; i++) {
        char letter[2] = {c->opts[i].letter, '\0'};
        if (!shown(&c->opts[i]))
            continue;
        zsh_option(f, &c->opts[i], "--", c->opts[i].name);
        if (letter[0])
            zsh_option(f, &c->opts[i], "-", letter);
    }
    fputs("            '--help[explain]'", f);
    if (c->operand_kind == OPERANDS_PROGRAM)
        fputs(" \\\n            '(-)1:program:_command_names -e' '*::arguments:_normal'", f);
    else if (c->operand_kind == OPERANDS_FILES)
        fputs(" \\\n            '*:file:_files'", f);
    else if (c->operand_kind == OPERANDS_VERBS || c->operand_words) {
        fputs(" \\\n            '1:operand:(", f);
        if (c->operand_words)
            choices(f, c->operand_words);
        else
            verb_names(f);
        fputs(")'", f);
    }
    fputs("\n        ;;\n", f);
}

void completion_zsh(FILE *f)
{
    fputs("#compdef tern\n# zsh completion for tern; written by: tern completion zsh\n"
          "_tern() {\n"
          "    local -a verbs\n    verbs=(\n",
          f);
    for (const struct command *const *c = commands; *c; c++) {
        fprintf(f, "        '%s:", (*c)->name);
        quoted(f, (*c)->summary, ":", "'\\''");
        fputs("'\n", f);
    }
    fputs("    )\n"
          "    if (( CURRENT == 2 )); then\n"
          "        _describe verb verbs\n"
          "        return\n"
          "    fi\n"
          "    shift words\n"
          "    (( CURRENT-- ))\n"
          "    case $words[1] in\n",
          f);
    for (const struct command *const *c = commands; *c; c++)
        zsh_command(f, *c);
    fputs("    esac\n}\n"
          "if [[ $funcstack[1] == _tern ]]; then _tern \"$@\"; else compdef _tern tern; fi\n",
          f);
}

/* ---- fish ------------------------------------------------------------------------------------ */

static void fish_option(FILE *f, const struct command *c, const struct opt *o)
{
    fprintf(f, "complete -c tern -n '__fish_seen_subcommand_from %s' -l %s", c->name, o->name);
    if (o->letter)
        fprintf(f, " -s %c", o->letter);
    if (o->type == OPT_IS_FILE)
        fputs(" -r -F", f);
    else if (takes_value(o))
        fputs(" -x", f);
    if (o->type == OPT_IS_CHOICE) {
        fputs(" -a '", f);
        choices(f, o->choices);
        fputc('\'', f);
    }
    fputs(" -d '", f);
    quoted(f, o->help, "\\", "\\'");
    fputs("'\n", f);
}

static void fish_operands(FILE *f, const struct command *c)
{
    if (c->operand_kind == OPERANDS_OTHER && !c->operand_words)
        return;
    fprintf(f, "complete -c tern -n '__fish_seen_subcommand_from %s' ", c->name);
    if (c->operand_kind == OPERANDS_PROGRAM) {
        fputs("-x -a '(__fish_complete_subcommand --fcs-skip=2)'\n", f);
    } else if (c->operand_kind == OPERANDS_FILES) {
        fputs("-F\n", f);
    } else {
        fputs("-a '", f);
        if (c->operand_words)
            choices(f, c->operand_words);
        else
            verb_names(f);
        fputs("'\n", f);
    }
}

void completion_fish(FILE *f)
{
    fputs("# fish completion for tern; written by: tern completion fish\ncomplete -c tern -f\n", f);
    for (const struct command *const *c = commands; *c; c++) {
        fprintf(f, "complete -c tern -n __fish_use_subcommand -a %s -d '", (*c)->name);
        quoted(f, (*c)->summary, "\\", "\\'");
        fputs("'\n", f);
    }
    for (const struct command *const *c = commands; *c; c++) {
        for (size_t i = 0; i < (*c)->opt_count; i++)
            if (shown(&(*c)->opts[i]))
                fish_option(f, *c, &(*c)->opts[i]);
        fish_operands(f, *c);
    }
}

/* ---- the verb -------------------------------------------------------------------------------- */

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

static int completion(const void *values, int argc, char **argv)
{
    (void)values;
    (void)argc;
    if (strcmp(argv[0], "bash") == 0) {
        completion_bash(stdout);
    } else if (strcmp(argv[0], "zsh") == 0) {
        completion_zsh(stdout);
    } else if (strcmp(argv[0], "fish") == 0) {
        completion_fish(stdout);
    } else {
        cmd_fail("completion", "%s: must be bash, zsh or fish", argv[0]);
        return CMD_USAGE;
    }
    return CMD_OK;
}

const struct command cmd_completion = {
    .name = "completion",
    .summary = "print a script that completes tern's command line in a shell",
    .about = "Prints a script for bash, zsh or fish. `make install` puts all three where the "
             "shells look for them; the examples are for a tern that is not installed.",
    .operands = "bash|zsh|fish",
    .operand_words = shells,
    .min_operands = 1,
    .max_operands = 1,
    .examples = {{"source <(tern completion bash)", "for this bash"},
                 {"source <(tern completion zsh)", "for this zsh, after compinit"},
                 {"tern completion fish | source", "for this fish"}},
    .run = completion,
};

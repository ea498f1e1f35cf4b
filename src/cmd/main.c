/* main.c - the `tern` command; commands.c is where it happens, so that tests can call it. */
#include "cmd/cmd.h"

int main(int argc, char **argv) { return cmd_main(argc, argv); }

/* `tidingsd token`: prints a token made from the configured secret.
 *
 * Above the floors. Before the threads start. */
#ifndef TIDINGS_TOKEN_COMMAND_H
#define TIDINGS_TOKEN_COMMAND_H

#include "config.h"

/* `argv[0]` is the word `token`, options follow. Gives the exit code of the process: 0, 1 when
 * the token cannot be made, 2 when the options are wrong; what is wrong goes to stderr. */
int token_command(const struct config *config, int argc, char **argv);

#endif

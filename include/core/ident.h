/* The rules of names: realms, users, rooms, devices, sessions, messages.
 *
 * Floor: core. Pure. */
#ifndef TIDINGS_CORE_IDENT_H
#define TIDINGS_CORE_IDENT_H

#include "base/span.h"

/* 1 to IDENT_BYTES_MAX of `A-Z a-z 0-9 . _ : @ ~ -`; not `.` or `..`. Realms, rooms, devices,
 * sessions, and the type of a custom event. */
bool ident_is_valid(struct span text);
/* The same, and `| + =`. */
bool ident_is_user(struct span text);
/* The key of a reaction: 1 to REACTION_CHARACTERS_MAX characters without control characters.
 * `text` is well-formed UTF-8. */
bool ident_is_reaction(struct span text);
/* As ident_is_valid, and not of the form digits-digits. */
bool ident_is_message(struct span text);

#endif

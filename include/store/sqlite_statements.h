/* The named statements of src/store/sql/queries*.sql.
 *
 * Floor: store. The statements belong to the connection they were prepared for. */
#ifndef TIDINGS_STORE_SQLITE_STATEMENTS_H
#define TIDINGS_STORE_SQLITE_STATEMENTS_H

#include <sqlite3.h>
#include <stdbool.h>

#include "base/attr.h"

#define SQL_STATEMENTS(X)                                                                          \
    X(begin_read) X(begin_write) X(commit) X(rollback)                                             \
    X(state_get) X(state_set) X(state_set_places)                                                  \
    X(lost_add) X(lost)                                                                            \
    X(realm_find) X(realm_at) X(realm_next) X(realm_add) X(realm_set)                              \
    X(room_find) X(room_at) X(room_add) X(room_set) X(room_delete) X(room_count_members)           \
    X(room_end_tenures) X(room_remove_members)                                                     \
    X(user_find) X(user_add) X(user_set)                                                           \
    X(member_find) X(member_set) X(member_add) X(member_remove) X(members) X(owner_count)          \
    X(rooms_of_user) X(room_count_of_user)                                                         \
    X(marker_put) X(user_ack) X(mention_add)                                                       \
    X(mentions_remove) X(mentions_read) X(room_remove_mentions)                                    \
    X(erased_add) X(erased_note) X(erased_count) X(room_remove_erased)                             \
    X(room_remove_bans) X(ban_find) X(ban_forget_passed) X(ban_put) X(ban_remove) X(bans)          \
    X(ban_count)                                                                                   \
    X(room_remove_direct) X(direct_find) X(direct_add) X(direct_partner)                           \
    X(block_find) X(block_add) X(block_remove) X(blocks) X(block_count)                            \
    X(tenure_open) X(tenure_close) X(tenures_of_user) X(tenures_in_room)                           \
    X(event_add) X(sender_note) X(event_find) X(event_at_or_below)                                 \
    X(events_up) X(events_down) X(messages_up) X(messages_down) X(thread_up) X(thread_down)        \
    X(ids_up) X(ids_down) X(message_ids_up) X(message_ids_down) X(thread_ids_up)                   \
    X(thread_ids_down) X(realm_ids)                                                                \
    X(event_rewrite) X(edits) X(edit_count)                                                        \
    X(reaction_find) X(reaction_add) X(reaction_remove) X(reaction_users) X(reaction_clear)        \
    X(reaction_key_raise) X(reaction_key_lower) X(reaction_key_drop) X(reaction_keys)              \
    X(reaction_key_count) X(reaction_key_clear) X(thread_replies) X(thread_waiting)                \
    X(thread_count)                                                                                \
    X(message_at_or_below) X(message_find) X(messages_of_sender) X(messages_of_sender_in_room)     \
    X(last_message_of_sender)                                                                      \
    X(once_find) X(once_add)                                                                       \
    X(device_find) X(device_set) X(device_add) X(device_limit)                                     \
    X(presence_get) X(presence_set)                                                                \
    X(subscription_add) X(subscription_remove) X(subscription_find) X(subscription_count)          \
    X(subscriptions) X(places_of_one) X(places_of_other)                                           \
    X(trim_age_upto) X(trim_age_rooms) X(trim_age_users) X(trim_age_realms)                        \
    X(trim_age_mentions) X(trim_age_erased) X(trim_age_delete)                                     \
    X(trim_room_next) X(trim_room_cut) X(trim_room_upto) X(trim_room_delete) X(trim_room_gone)     \
    X(trim_room_mentions) X(trim_room_erased)                                                      \
    X(trim_room_realm) X(trim_once_upto) X(trim_once_delete)

enum sql_statement {
#define X(name) SQL_##name,
    SQL_STATEMENTS(X)
#undef X
        SQL_COUNT
};

/* Prepares all of them, or with `only_reads` those that change nothing. On failure `why` names
 * the statement; what was prepared is in `statements` and the caller's to finalize. ERR_MEMORY,
 * ERR_CORRUPT when the file's tables are not those expected. */
MUST_CHECK int sqlite_statements_prepare(sqlite3 *db, bool only_reads, char *why, size_t why_size,
                                         sqlite3_stmt **statements);

#endif

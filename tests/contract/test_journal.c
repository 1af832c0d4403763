/* The contract of the journal, over the backend whose URL is the one argument: `memory:`, or
 * `sqlite:`, which gets a file of its own for each test. */
#include <stdio.h>

#include "play.h"

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: test_journal memory:|sqlite:|redis:\n");
        return 2;
    }
    play_backend = argv[1];
    int failed = run_append_tests();
    failed += run_permission_tests();
    failed += run_replay_tests();
    failed += run_edit_tests();
    failed += run_reaction_tests();
    failed += run_gap_tests();
    failed += run_history_tests();
    failed += run_state_tests();
    failed += run_order_tests();
    failed += run_marker_tests();
    failed += run_unread_tests();
    failed += run_age_tests();
    failed += run_random_tests();
    failed += run_quiet_tests();
    failed += run_presence_tests();
    failed += run_member_tests();
    failed += run_ban_tests();
    failed += run_direct_tests();
    return failed;
}

/* Every error has a text and a name of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/err.h"

static void every_error_has_a_text(void **state)
{
    for (int err = 0; err > -ERR_COUNT; err--) {
        assert_non_null(err_text(err));
        for (int other = err - 1; other > -ERR_COUNT; other--)
            assert_string_not_equal(err_name(err), err_name(other));
    }
}

static void unknown_errors_are_named_so(void **state)
{
    assert_string_equal(err_text(1), "unknown error");
    assert_string_equal(err_text(-ERR_COUNT), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_a_text),
        cmocka_unit_test(unknown_errors_are_named_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

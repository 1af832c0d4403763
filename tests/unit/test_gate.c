/* The gate against requests that two readers would read differently. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/limits.h"
#include "net/gate.h"

struct row {
    const char *what;
    const char *headers; /* lines of "name:value", a NUL byte is written as \x01 */
    bool http_1_0;
    int err;
};

#define HOST "Host:x\n"

static const struct row rows[] = {
    {"plain", HOST, false, ERR_OK},
    {"length", HOST "Content-Length:5\n", false, ERR_OK},
    {"length with blanks", HOST "Content-Length: 5 \n", false, ERR_OK},
    {"length zero", HOST "Content-Length:0\n", false, ERR_OK},
    {"length with leading zeros", HOST "Content-Length:0005\n", false, ERR_OK},
    {"chunked", HOST "Transfer-Encoding:chunked\n", false, ERR_OK},
    {"chunked in capitals", HOST "tRANSFER-eNCODING: CHUNKED\n", false, ERR_OK},
    {"tab in a value", HOST "X-A:a\tb\n", false, ERR_OK},
    {"bytes above ASCII in a value", HOST "X-A:\xc3\xa9\n", false, ERR_OK},
    {"empty value", HOST "X-A:\n", false, ERR_OK},
    {"many cookies", HOST "Cookie:a=1\nCookie:b=2\n", false, ERR_OK},
    {"1.0 without Host", "X-A:b\n", true, ERR_OK},

    {"length and encoding", HOST "Content-Length:5\nTransfer-Encoding:chunked\n", false,
     ERR_INVALID_REQUEST},
    {"encoding and length", HOST "Transfer-Encoding:chunked\nContent-Length:5\n", false,
     ERR_INVALID_REQUEST},
    {"length 5 and length 0", HOST "Content-Length:5\nContent-Length:0\n", false,
     ERR_INVALID_REQUEST},
    {"length 0 and length 35", HOST "Content-Length:0\nContent-Length:35\n", false,
     ERR_INVALID_REQUEST},
    {"the same length twice", HOST "Content-Length:5\nContent-Length:5\n", false,
     ERR_INVALID_REQUEST},
    {"length twice in other letters", HOST "content-length:5\nCONTENT-LENGTH:6\n", false,
     ERR_INVALID_REQUEST},
    {"blank before the colon of a length", HOST "Content-Length :5\n", false, ERR_INVALID_REQUEST},
    {"blank before the colon of an encoding", HOST "Transfer-Encoding :chunked\n", false,
     ERR_INVALID_REQUEST},
    {"tab before the colon", HOST "Content-Length\t:5\n", false, ERR_INVALID_REQUEST},
    {"xchunked", HOST "Transfer-Encoding:xchunked\n", false, ERR_INVALID_REQUEST},
    {"gzip, chunked", HOST "Transfer-Encoding:gzip, chunked\n", false, ERR_INVALID_REQUEST},
    {"chunked, chunked", HOST "Transfer-Encoding:chunked, chunked\n", false, ERR_INVALID_REQUEST},
    {"identity", HOST "Transfer-Encoding:identity\n", false, ERR_INVALID_REQUEST},
    {"identity and chunked", HOST "Transfer-Encoding:identity\nTransfer-Encoding:chunked\n", false,
     ERR_INVALID_REQUEST},
    {"chunked twice", HOST "Transfer-Encoding:chunked\nTransfer-Encoding:chunked\n", false,
     ERR_INVALID_REQUEST},
    {"empty encoding", HOST "Transfer-Encoding:\n", false, ERR_INVALID_REQUEST},
    {"vertical tab before chunked", HOST "Transfer-Encoding:\vchunked\n", false,
     ERR_INVALID_REQUEST},
    {"chunked on 1.0", "Transfer-Encoding:chunked\n", true, ERR_INVALID_REQUEST},
    {"two hosts", HOST "Host:y\n", false, ERR_INVALID_REQUEST},
    {"no host", "X-A:b\n", false, ERR_INVALID_REQUEST},
    {"bare CR in a value", HOST "X-A:a\rb\n", false, ERR_INVALID_REQUEST},
    {"NUL in a value", HOST "X-A:a\x01z\n", false, ERR_INVALID_REQUEST},
    {"escape in a value", HOST "X-A:a\033b\n", false, ERR_INVALID_REQUEST},
    {"DEL in a value", HOST "X-A:a\177b\n", false, ERR_INVALID_REQUEST},
    {"empty name", HOST ":b\n", false, ERR_INVALID_REQUEST},
    {"blank in a name", HOST "X A:b\n", false, ERR_INVALID_REQUEST},
    {"brackets in a name", HOST "X(A):b\n", false, ERR_INVALID_REQUEST},
    {"name above ASCII", HOST "X-\xc3\xa9:b\n", false, ERR_INVALID_REQUEST},
    {"length with a sign", HOST "Content-Length:+5\n", false, ERR_INVALID_REQUEST},
    {"negative length", HOST "Content-Length:-5\n", false, ERR_INVALID_REQUEST},
    {"list of lengths", HOST "Content-Length:5,5\n", false, ERR_INVALID_REQUEST},
    {"hexadecimal length", HOST "Content-Length:0x5\n", false, ERR_INVALID_REQUEST},
    {"empty length", HOST "Content-Length:\n", false, ERR_INVALID_REQUEST},
    {"length beyond 64 bits", HOST "Content-Length:18446744073709551616\n", false,
     ERR_INVALID_REQUEST},
    {"two authorizations", HOST "Authorization:Bearer a\nAuthorization:Bearer b\n", false,
     ERR_INVALID_REQUEST},
    {"two cursors", HOST "Last-Event-ID:1-0\nLast-Event-ID:2-0\n", false, ERR_INVALID_REQUEST},
    {"two content types", HOST "Content-Type:a/b\nContent-Type:c/d\n", false, ERR_INVALID_REQUEST},
    {"two origins", HOST "Origin:http://a\nOrigin:http://b\n", false, ERR_INVALID_REQUEST},
};

static int verdict(const struct row *row)
{
    char text[512];
    struct gate gate;
    gate_init(&gate);
    size_t len = strlen(row->headers);
    assert_true(len < sizeof(text));
    for (size_t i = 0; i < len; i++)
        text[i] = row->headers[i] == '\x01' ? '\0' : row->headers[i];
    struct span rest = span_of(text, len);
    while (rest.data && rest.len) {
        struct span value = span_cut(&rest, '\n');
        struct span name = span_cut(&value, ':');
        gate_header(&gate, name, value);
    }
    return gate_verdict(&gate, row->http_1_0);
}

static void judges_each_row(void **state)
{
    for (size_t i = 0; i < array_count(rows); i++)
        if (verdict(&rows[i]) != rows[i].err)
            fail_msg("%s: %s", rows[i].what, err_name(verdict(&rows[i])));
}

static void tells_the_length(void **state)
{
    struct gate gate;
    gate_init(&gate);
    gate_header(&gate, span_text("Host"), span_text("x"));
    gate_header(&gate, span_text("content-length"), span_text("18446744073709551615"));
    assert_int_equal(gate_verdict(&gate, false), ERR_OK);
    assert_true(gate.has_length);
    assert_true(gate.length == UINT64_MAX);
}

static void counts_headers(void **state)
{
    struct gate gate;
    gate_init(&gate);
    gate_header(&gate, span_text("Host"), span_text("x"));
    for (int i = 1; i < HEADERS_MAX; i++)
        gate_header(&gate, span_text("X-A"), span_text("b"));
    assert_int_equal(gate_verdict(&gate, false), ERR_OK);
    gate_header(&gate, span_text("X-A"), span_text("b"));
    assert_int_equal(gate_verdict(&gate, false), ERR_HEAD_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_each_row),
        cmocka_unit_test(tells_the_length),
        cmocka_unit_test(counts_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

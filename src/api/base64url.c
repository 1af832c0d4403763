#include "api/base64url.h"

#include <assert.h>

#include "base/err.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* 0 to 63, or -1. */
static int digit_of(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-')
        return 62;
    return c == '_' ? 63 : -1;
}

int base64url_decode(struct span text, unsigned char *out, size_t *ret_len)
{
    uint32_t bits = 0;
    int bit_count = 0;
    size_t len = 0;

    if (text.len % 4 == 1)
        return ERR_INVALID_FIELD;
    for (size_t i = 0; i < text.len; i++) {
        int digit = digit_of((unsigned char)text.data[i]);
        if (digit < 0)
            return ERR_INVALID_FIELD;
        bits = bits << 6 | (uint32_t)digit;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            out[len++] = (unsigned char)(bits >> bit_count);
            bits &= (1U << bit_count) - 1;
        }
    }
    if (bits != 0)
        return ERR_INVALID_FIELD;
    assert(len <= BASE64URL_DECODED_MAX(text.len));
    *ret_len = len;
    return ERR_OK;
}

size_t base64url_encode(const void *data, size_t len, char *out)
{
    const unsigned char *bytes = data;
    uint32_t bits = 0;
    int bit_count = 0;
    size_t written = 0;

    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | bytes[i];
        bit_count += 8;
        while (bit_count >= 6) {
            bit_count -= 6;
            out[written++] = alphabet[bits >> bit_count & 63];
        }
        bits &= (1U << bit_count) - 1;
    }
    if (bit_count > 0)
        out[written++] = alphabet[bits << (6 - bit_count) & 63];
    assert(written == BASE64URL_ENCODED(len));
    return written;
}

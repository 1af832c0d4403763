#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "net/connection.h"

#define FORWARDED_MAX 32 /* addresses looked at, from the right */

struct block {
    struct in6_addr address;
    unsigned bits;
};

struct proxies {
    int count;
    struct block blocks[];
};

/* IPv4 as ::ffff:a.b.c.d; the number of bits that stand before an IPv4 address, or -1. */
static int address_parse(const char *text, struct in6_addr *ret)
{
    if (inet_pton(AF_INET6, text, ret) == 1)
        return 0;
    struct in_addr old;
    if (inet_pton(AF_INET, text, &old) != 1)
        return -1;
    memset(ret, 0, sizeof(*ret));
    ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
    memcpy(ret->s6_addr + 12, &old, 4);
    return 96;
}

size_t address_format(const struct in6_addr *address, char *ret)
{
    const char *text = IN6_IS_ADDR_V4MAPPED(address)
                           ? inet_ntop(AF_INET, address->s6_addr + 12, ret, PEER_TEXT_BYTES)
                           : inet_ntop(AF_INET6, address, ret, PEER_TEXT_BYTES);
    assert(text);
    return strlen(text);
}

static int block_parse(const char *item, struct block *ret)
{
    char text[PEER_TEXT_BYTES];
    struct span rest = span_text(item);
    struct span address = span_trim(span_cut(&rest, '/'));
    if (address.len == 0 || address.len >= sizeof(text))
        return ERR_CONFIG;
    memcpy(text, address.data, address.len);
    text[address.len] = '\0';
    int before = address_parse(text, &ret->address);
    if (before < 0)
        return ERR_CONFIG;
    uint64_t bits = 128 - (uint64_t)before;
    if (rest.data && span_to_number(span_trim(rest), bits, &bits))
        return ERR_CONFIG;
    ret->bits = (unsigned)bits + (unsigned)before;
    return 0;
}

int proxies_new(const struct setting_list *list, char *why, size_t why_size, struct proxies **ret)
{
    struct proxies *proxies =
        calloc(1, sizeof(*proxies) + (size_t)list->count * sizeof(struct block));
    if (!proxies)
        return ERR_MEMORY;
    for (int i = 0; i < list->count; i++) {
        if (block_parse(list->items[i], &proxies->blocks[i])) {
            snprintf(why, why_size, "http.trusted_proxies: \"%.100s\" is no address or block",
                     list->items[i]);
            free(proxies);
            return ERR_CONFIG;
        }
        proxies->count++;
    }
    *ret = proxies;
    return 0;
}

struct proxies *proxies_free(struct proxies *proxies)
{
    free(proxies);
    return NULL;
}

static bool block_has(const struct block *block, const struct in6_addr *address)
{
    unsigned bytes = block->bits / 8, rest = block->bits % 8;
    if (memcmp(block->address.s6_addr, address->s6_addr, bytes) != 0)
        return false;
    if (rest == 0)
        return true;
    uint8_t mask = (uint8_t)(0xff << (8 - rest));
    return ((block->address.s6_addr[bytes] ^ address->s6_addr[bytes]) & mask) == 0;
}

bool proxies_trust(const struct proxies *proxies, const struct in6_addr *address)
{
    for (int i = 0; i < proxies->count; i++)
        if (block_has(&proxies->blocks[i], address))
            return true;
    return false;
}

/* "1.2.3.4", "1.2.3.4:56", "2001:db8::1", "[2001:db8::1]:56" */
static bool forwarded_parse(struct span item, struct in6_addr *ret)
{
    char text[PEER_TEXT_BYTES];
    item = span_trim(item);
    if (item.len > 0 && item.data[0] == '[') {
        item = span_of(item.data + 1, item.len - 1);
        item = span_cut(&item, ']');
    } else {
        struct span rest = item, host = span_cut(&rest, ':');
        if (rest.data && !memchr(rest.data, ':', rest.len))
            item = host;
    }
    if (item.len == 0 || item.len >= sizeof(text))
        return false;
    memcpy(text, item.data, item.len);
    text[item.len] = '\0';
    return address_parse(text, ret) >= 0;
}

size_t proxies_client(const struct proxies *proxies, struct span forwarded, char *ret)
{
    size_t len = 0, end = forwarded.len;
    for (int i = 0; i < FORWARDED_MAX && end > 0; i++) {
        size_t start = end;
        while (start > 0 && forwarded.data[start - 1] != ',')
            start--;
        struct in6_addr address;
        if (!forwarded_parse(span_of(forwarded.data + start, end - start), &address))
            break;
        len = address_format(&address, ret);
        if (!proxies_trust(proxies, &address))
            break;
        end = start > 0 ? start - 1 : 0;
    }
    return len;
}

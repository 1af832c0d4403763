#include "core/ident.h"

#include "base/limits.h"

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_made_of(struct span text, const char *punctuation)
{
    if (text.len == 0 || text.len > IDENT_BYTES_MAX || span_is(text, ".") || span_is(text, ".."))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (!is_alphanumeric(c) && (c == 0 || !strchr(punctuation, c)))
            return false;
    }
    return true;
}

bool ident_is_valid(struct span text)
{
    return is_made_of(text, "._:@~-");
}

bool ident_is_user(struct span text)
{
    return is_made_of(text, "._:@~-|+=");
}

bool ident_is_reaction(struct span text)
{
    size_t characters = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool upper = c == 0xc2 && i + 1 < text.len && (unsigned char)text.data[i + 1] < 0xa0;
        if (c < 0x20 || c == 0x7f || upper)
            return false;
        characters += (c & 0xc0) != 0x80;
    }
    return characters > 0 && characters <= REACTION_CHARACTERS_MAX;
}

static bool is_digits(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    }
    return text.len > 0;
}

bool ident_is_message(struct span text)
{
    if (!ident_is_valid(text))
        return false;
    struct span rest = text;
    struct span first = span_cut(&rest, '-');
    return !(rest.data && is_digits(first) && is_digits(rest));
}

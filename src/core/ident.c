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

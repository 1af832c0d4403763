#include "base/err.h"



static const char *const err_texts[ERR_COUNT] = {
    [0] = "no error",
#define X(name, text) [ERR_POSITIVE_##name] = text,
    ERRORS(X)
#undef X
};

static const char *const err_names[ERR_COUNT] = {
    [0] = "ok",
#define X(name, text) [ERR_POSITIVE_##name] = #name,
    ERRORS(X)
#undef X
};

const char *err_text(int err)
{
    return err > 0 || err <= -ERR_COUNT ? "unknown error" : err_texts[-err];
}

const char *err_name(int err)
{
    return err > 0 || err <= -ERR_COUNT ? "UNKNOWN" : err_names[-err];
}

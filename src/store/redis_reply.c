/* What error answers of Redis mean. */
#include <hiredis/hiredis.h>

#include "base/attr.h"
#include "store/redis_link.h"

struct fault_row {
    const char *word;
    enum redis_fault fault;
};

static const struct fault_row rows[] = {
    {"NOSCRIPT", REDIS_FAULT_NOSCRIPT},
    {"BUSY", REDIS_FAULT_BUSY},
    {"LOADING", REDIS_FAULT_LOADING},
    {"OOM", REDIS_FAULT_OOM},
    {"MISCONF", REDIS_FAULT_MISCONF},
    {"READONLY", REDIS_FAULT_READONLY},
    {"NOREPLICAS", REDIS_FAULT_NOREPLICAS},
    {"MASTERDOWN", REDIS_FAULT_MASTERDOWN},
    {"CLUSTERDOWN", REDIS_FAULT_CLUSTERDOWN},
    {"MOVED", REDIS_FAULT_MOVED},
    {"ASK", REDIS_FAULT_ASK},
    {"TRYAGAIN", REDIS_FAULT_TRYAGAIN},
    {"CROSSSLOT", REDIS_FAULT_CROSSSLOT},
    {"UNBLOCKED", REDIS_FAULT_UNBLOCKED},
    {"NOAUTH", REDIS_FAULT_AUTH},
    {"WRONGPASS", REDIS_FAULT_AUTH},
    {"NOPERM", REDIS_FAULT_AUTH},
    {"WRONGTYPE", REDIS_FAULT_WRONGTYPE},
};

enum redis_fault redis_reply_fault(const struct redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ERROR)
        return REDIS_FAULT_NONE;
    struct span rest = span_of(reply->str, reply->len);
    struct span word = span_cut(&rest, ' ');
    for (size_t i = 0; i < array_count(rows); i++) {
        if (span_is(word, rows[i].word))
            return rows[i].fault;
    }
    return REDIS_FAULT_OTHER;
}

const char *redis_fault_name(enum redis_fault fault)
{
    if (fault == REDIS_FAULT_NONE)
        return "none";
    for (size_t i = 0; i < array_count(rows); i++) {
        if (rows[i].fault == fault)
            return rows[i].word;
    }
    return "ERR";
}

bool redis_fault_passes(enum redis_fault fault)
{
    switch (fault) {
    case REDIS_FAULT_NOSCRIPT:
    case REDIS_FAULT_BUSY:
    case REDIS_FAULT_LOADING:
    case REDIS_FAULT_OOM:
    case REDIS_FAULT_MISCONF:
    case REDIS_FAULT_READONLY:
    case REDIS_FAULT_NOREPLICAS:
    case REDIS_FAULT_MASTERDOWN:
    case REDIS_FAULT_CLUSTERDOWN:
    case REDIS_FAULT_MOVED:
    case REDIS_FAULT_ASK:
    case REDIS_FAULT_TRYAGAIN:
    case REDIS_FAULT_UNBLOCKED:
        return true;
    default:
        return false;
    }
}

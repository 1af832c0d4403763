#include "api/receipt_frame.h"

#include <stdio.h>

/* Names need no escapes. */
#define BODY_BYTES_MAX 640

static struct span write_body(char out[BODY_BYTES_MAX], const struct read_receipt *receipt)
{
    char upto[EVENT_ID_TEXT_MAX];
    event_id_format(receipt->marker.upto, upto);
    int len =
        snprintf(out, BODY_BYTES_MAX, "{\"roomId\":\"%.*s\",\"userId\":\"%.*s\",\"upTo\":\"%s\"}",
                 SPAN_ARGS(receipt->room), SPAN_ARGS(receipt->user), upto);
    return span_of(out, (size_t)len);
}

static struct span write_own_body(char out[BODY_BYTES_MAX], struct span body,
                                  const struct read_marker *marker, struct event_id as_of)
{
    char id[EVENT_ID_TEXT_MAX];
    event_id_format(as_of, id);
    int len = snprintf(out, BODY_BYTES_MAX,
                       "%.*s,\"unread\":%lld,\"mentions\":%lld,\"asOf\":\"%s\"}", (int)body.len - 1,
                       body.data, (long long)marker->unread, (long long)marker->mentions, id);
    return span_of(out, (size_t)len);
}

int receipt_frame_new(struct span realm, const struct read_receipt *receipt, struct event_id as_of,
                      bool own_only, struct frame **ret)
{
    char body[BODY_BYTES_MAX], own[BODY_BYTES_MAX];
    struct frame_spec spec = {
        .type = receipt->type,
        .audience = AUDIENCE_ROOM,
        .realm = realm,
        .room = receipt->room,
        .body = write_body(body, receipt),
    };
    if (receipt->type == EVENT_MESSAGE_DELIVERED) {
        spec.spared_user = receipt->user;
        return frame_new(&spec, ret);
    }
    struct span own_body = write_own_body(own, spec.body, &receipt->marker, as_of);
    spec.user = receipt->user;
    if (own_only) {
        spec.audience = AUDIENCE_USER;
        spec.body = own_body;
    } else {
        spec.own_body = own_body;
    }
    return frame_new(&spec, ret);
}

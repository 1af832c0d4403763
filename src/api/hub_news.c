/* News to the hub: from the journal's thread to the parts that listen. */
#include <stdlib.h>

#include "api/hub_parts.h"
#include "core/frame.h"

struct news {
    struct letter letter;
    struct hub *hub;
    int count;
    struct frame *frames[]; /* refs */
};

void hub_listen(struct hub *hub, struct hub_listener *listener)
{
    listener->next = hub->listeners;
    hub->listeners = listener;
}

void hub_want_messages(struct hub *hub, int change)
{
    atomic_fetch_add(&hub->messages_wanted, change);
}

static void read_news(struct letter *letter)
{
    struct news *news = container_of(letter, struct news, letter);
    for (int i = 0; i < news->count; i++) {
        for (struct hub_listener *at = news->hub->listeners; at; at = at->next)
            at->on_frame(news->hub, news->frames[i]);
        frame_unref(news->frames[i]);
    }
    free(news);
}

static void read_lost(struct letter *letter)
{
    struct hub *hub = container_of(letter, struct hub, lost);
    atomic_store(&hub->lost_posted, false);
    for (struct hub_listener *at = hub->listeners; at; at = at->next)
        at->on_lost(hub);
}

void hub_news_lost(struct hub *hub)
{
    if (atomic_exchange(&hub->lost_posted, true))
        return;
    hub->lost.on_read = read_lost;
    hub_post(hub, &hub->lost);
}

static bool is_wanted(const struct frame *frame, bool messages)
{
    return frame->type == EVENT_USER_JOINED || frame->type == EVENT_USER_LEFT ||
           frame->type == EVENT_ROOM_DELETED ||
           (messages &&
            (frame->type == EVENT_NEW_MESSAGE || frame->bars_user || frame->silences_user));
}

void hub_news(struct hub *hub, struct frame *const *frames, int count)
{
    bool messages = atomic_load_explicit(&hub->messages_wanted, memory_order_relaxed) > 0;
    int wanted = 0;
    if (count == 0)
        hub_news_lost(hub);
    for (int i = 0; i < count; i++)
        wanted += is_wanted(frames[i], messages);
    if (wanted == 0)
        return;
    struct news *news = malloc(sizeof(*news) + (size_t)wanted * sizeof(*frames));
    if (!news) {
        hub_news_lost(hub);
        return;
    }
    news->letter.on_read = read_news;
    news->hub = hub;
    news->count = 0;
    for (int i = 0; i < count; i++) {
        if (is_wanted(frames[i], messages))
            news->frames[news->count++] = frame_ref(frames[i]);
    }
    hub_post(hub, &news->letter);
}

/* Room stats, for the workers: that somebody began or ceased to watch a room.
 *
 * Floor: api. From any thread. */
#ifndef TIDINGS_API_HUB_STATS_H
#define TIDINGS_API_HUB_STATS_H

struct hub;

/* The names are copied. Without memory nothing happens. */
void hub_stats_watched(struct hub *hub, const char *realm, const char *room);

#endif

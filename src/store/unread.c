#include "store/unread.h"

static uint64_t lowest_bit(uint64_t number)
{
    return number & (~number + 1);
}

int unread_count(struct ledger *ledger, const struct ledger_room *room,
                 const struct ledger_marker *marker, int64_t *ret)
{
    uint64_t from =
        marker->ordinal > room->trimmed_ordinal ? marker->ordinal : room->trimmed_ordinal;
    uint64_t count = room->ordinal > from ? room->ordinal - from : 0;
    int err = 0, missed = 0;
    for (uint64_t node = from + 1; room->has_erased && node <= room->ordinal && !err;
         node += lowest_bit(node)) {
        uint64_t erased = 0;
        err = ledger_put_off(ledger->ops->erased_count(ledger, room->place, node, &erased),
                             &missed);
        count -= erased;
    }
    if (err || missed)
        return err ? err : missed;
    *ret = (int64_t)count;
    return 0;
}

int unread_mentions(struct ledger *ledger, place_number room, place_number user,
                    const struct ledger_marker *marker, int64_t *ret)
{
    if (marker->mentions < 0)
        return ledger->ops->mention_count(ledger, room, user, marker->read, ret);
    *ret = marker->mentions;
    return 0;
}

int unread_erase(struct ledger *ledger, place_number room, uint64_t ordinal)
{
    int err = 0, missed = 0;
    for (uint64_t node = ordinal; node > 0 && !err; node -= lowest_bit(node))
        err = ledger_put_off(ledger->ops->erased_add(ledger, room, node), &missed);
    return err ? err : missed;
}

/**
 * What each type of event changes of what the page knows. Those not named change nothing that it
 * shows; `gap` and `reset` need requests, and are not for here.
 */
import { changeMessage, countReply, isAbove } from './timeline.js';

/** One event of the stream. True if something may look otherwise now. */
export function applyEvent(rooms, event) {
    const change = changes[event.type];
    const room = rooms.get(event.roomId);
    if (room && event.id) {
        room.givenTo = event.id;
    }
    return change ? change(rooms, event, room) !== false : false;
}

const changes = {
    // ---- Messages --------------------------------------------------------------------------

    new_message(rooms, event, room) {
        rooms.people.learn(event.sender?.userId, event.sender);
        if (!room) {
            return false;
        }
        rooms.people.stopTyping(room.id, event.sender?.userId);
        // An ephemeral one has no id; it stands behind what is here, until the page is left.
        const message = event.id ? { ...event, asOf: event.id }
            : { ...event, id: room.newest?.id ?? '0-0', ephemeral: true };
        if (event.threadId) {
            rooms.remember(event);
            room.copiesOf(event.threadId).forEach(root => countReply(root, event, +1));
            room.timelineOf(event)?.insert(message);
        } else {
            room.insert(message);
        }
        if (event.sender?.userId !== rooms.me) {
            room.count(event, event.id ? room.find(event.messageId) : null);
            room.putMarker(event.sender?.userId, 'read', event.id); // who writes has read
        } else if (event.id) {
            room.countedTo = isAbove(event.id, room.countedTo) ? event.id : room.countedTo;
            room.moveMarker(event.id);
        }
        if (!room.loaded) {
            room.trim();
        }
        return true;
    },

    message_edited: changeOfMessage,
    message_deleted: changeOfMessage,
    reaction_added: changeOfMessage,
    reaction_removed: changeOfMessage,

    // ---- Rooms and their members -----------------------------------------------------------

    user_joined(rooms, event, room) {
        rooms.people.learn(event.userId, event.userData);
        if (event.userId === rooms.me) {
            rooms.putRoom({ readUpTo: event.id, unread: 0, ...event.room, asOf: event.id });
            return true;
        }
        if (isMemberNews(room, event)) {
            room.members.set(event.userId,
                { userId: event.userId, role: 'member', userData: event.userData });
        }
        return note(room, event, +1);
    },

    user_left(rooms, event, room) {
        if (event.userId === rooms.me) {
            rooms.remove(event.roomId);
            return true;
        }
        rooms.people.stopTyping(event.roomId, event.userId);
        if (isMemberNews(room, event)) {
            room.members.delete(event.userId);
        }
        return note(room, event, -1);
    },

    room_updated(rooms, event, room) {
        if (room && isAbove(event.id, room.info.asOf)) {
            const { id, type, timestamp, ...values } = event;
            room.info = { ...room.info, ...values };
        }
    },

    room_deleted(rooms, event) {
        rooms.remove(event.roomId);
    },

    /** It tells all of the member: what is not in it is so no longer. */
    member_updated(rooms, { id, roomId, userId, role, mutedUntil, notify, joinedAt, userData },
        room) {
        if (isMemberNews(room, { id })) {
            room.members.set(userId, { userId, role, mutedUntil, joinedAt, userData });
        }
        if (room && userId === rooms.me && isAbove(id, room.info.asOf)) {
            room.info = { ...room.info, role, mutedUntil, notify };
        }
    },

    room_stats(rooms, event, room) {
        if (room) {
            room.info.memberCount = event.members;
            room.online = event.online;
        }
    },

    user_updated(rooms, event) {
        rooms.people.learn(event.userId, event.userData);
    },

    // ---- Who is there, who types, who has read ---------------------------------------------

    /** What follows it tells who is there and who types. */
    caught_up(rooms) {
        rooms.people.startAnew();
    },

    presence_update(rooms, event) {
        rooms.people.putPresence(event);
    },

    user_typing(rooms, event) {
        rooms.people.startTyping(event.roomId, event.userId, event.expiresInMs);
    },

    user_stopped_typing(rooms, event) {
        rooms.people.stopTyping(event.roomId, event.userId);
    },

    message_read(rooms, event, room) {
        if (event.userId !== rooms.me) {
            room?.putMarker(event.userId, 'read', event.upTo);
        } else if (isAbove(room?.countedTo, event.asOf)) {
            room.moveMarker(event.upTo, event); // its counts are out of date
        } else {
            room?.putCounts({ ...event, readUpTo: event.upTo });
        }
    },

    message_delivered(rooms, event, room) {
        room?.putMarker(event.userId, 'delivered', event.upTo);
    },
};

function changeOfMessage(rooms, event, room) {
    if (!room) {
        return false;
    }
    rooms.remember(event);
    const copies = room.copiesOf(event.messageId);
    const threadId = event.threadId ?? copies[0]?.threadId;
    if (event.type === 'message_deleted' && threadId && !copies[0]?.deleted) {
        room.copiesOf(threadId).forEach(root => countReply(root, event, -1));
    }
    room.count(event, copies[0],
        () => copies.forEach(copy => changeMessage(copy, event, rooms.me)));
    return true;
}

/** What was read of the members does not contain this event yet. */
function isMemberNews(room, event) {
    return Boolean(room?.members) && isAbove(event.id, room.membersAsOf);
}

/** A join or leave of someone else: a line among the messages, and one more or less. */
function note(room, event, moved) {
    if (room?.insert({ ...event, asOf: event.id }) && isAbove(event.id, room.info.asOf)) {
        room.info.memberCount += moved;
    }
    return Boolean(room);
}

/**
 * What the page knows of people: names, who is there, who types where, who is blocked.
 *
 * MODEL  Presence and typing come without ids, and after each `caught_up` anew: who is not told of
 *        then is offline, or does not type.
 */
const SHOWN = { offline: 'Offline', online: 'Online', away: 'Away', busy: 'Busy' };

export class People {
    me = null;            // our own userId
    blocked = new Set();
    onExpired = () => {}; // someone's typing has ended by itself

    #names = new Map();   // userId -> name last seen
    #presence = new Map();
    #typing = new Map();  // roomId -> Map of userId -> until when, in ms

    nameOf(userId) {
        return this.#names.get(userId) ?? userId;
    }

    learn(userId, data) {
        if (userId && data?.name) {
            this.#names.set(userId, data.name);
        }
    }

    /** {status, activity?, lastSeen?} */
    presenceOf(userId) {
        return this.#presence.get(userId) ?? { status: 'offline' };
    }

    /** A sentence about someone who is there or not; empty if nothing is known. */
    describe(userId, whenFormat) {
        const { status, activity, lastSeen } = this.presenceOf(userId);
        if (status === 'offline') {
            return lastSeen ? `Last seen ${whenFormat(lastSeen)}` : '';
        }
        return activity ? `${SHOWN[status]} · ${activity}` : SHOWN[status];
    }

    putPresence({ userId, status, activity, lastSeen }) {
        this.#presence.set(userId, { status, activity, lastSeen });
        if (status === 'offline') {
            this.#typing.forEach(typers => typers.delete(userId));
        }
    }

    /** What follows tells who is there. */
    startAnew() {
        this.#typing.clear();
        for (const presence of this.#presence.values()) {
            presence.status = 'offline';
            presence.activity = null;
        }
    }

    startTyping(roomId, userId, forMs) {
        if (!this.#typing.has(roomId)) {
            this.#typing.set(roomId, new Map());
        }
        this.#typing.get(roomId).set(userId, Date.now() + forMs);
        setTimeout(() => this.onExpired(), forMs + 50);
    }

    stopTyping(roomId, userId) {
        this.#typing.get(roomId)?.delete(userId);
    }

    /** Who types there now, we and those we have blocked not among them. */
    typersIn(roomId) {
        const now = Date.now();
        return [...this.#typing.get(roomId) ?? []]
            .filter(([userId, until]) => until > now && userId !== this.me
                && !this.blocked.has(userId))
            .map(([userId]) => userId);
    }
}

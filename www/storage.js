/**
 * Small things kept in this browser: who signed in, what was seen. Losing them loses comfort
 * only, so nothing here fails: storage may be full, forbidden or of another version.
 */

function load(storage, key, otherwise) {
    try {
        return JSON.parse(storage.getItem(key)) ?? otherwise;
    } catch {
        return otherwise;
    }
}

function save(storage, key, value) {
    try {
        if (value === null) {
            storage.removeItem(key);
        } else {
            storage.setItem(key, JSON.stringify(value));
        }
    } catch {
        // See above.
    }
}

export const ME_KEY = 'tidings.me';

/** Who uses this browser, {userId, name}, or null. The proof of it is in the cookie. */
export const loadMe = () => load(localStorage, ME_KEY, null);
export const saveMe = me => save(localStorage, ME_KEY, me);

/** Up to which event each room was seen: {roomId: id}. */
export const loadSeen = userId => load(localStorage, `tidings.seen.${userId}`, {});
export function saveSeen(userId, roomId, id) {
    save(localStorage, `tidings.seen.${userId}`, { ...loadSeen(userId), [roomId]: id });
}

/** Messages of this tab without an answer: [{roomId, messageId, text, sentAt}]. */
export const loadOutbox = userId => load(sessionStorage, `tidings.outbox.${userId}`, []);
export const saveOutbox = (userId, items) =>
    save(sessionStorage, `tidings.outbox.${userId}`, items.length ? items : null);

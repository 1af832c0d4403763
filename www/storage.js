/**
 * Small things kept in this browser: who signed in, what is not sent yet. Losing them loses comfort
 * only, so nothing here fails: storage may be full, forbidden or of another version.
 */

import { makeId } from './tidings.js';

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

/** A name for this browser, by which the server knows what it was given. */
export function deviceName() {
    const name = load(localStorage, 'tidings.device', null) ?? makeId('web');
    save(localStorage, 'tidings.device', name);
    return name;
}

/** How far others have read, as heard in this tab: [[roomId, [[userId, marker] …]] …]. */
export const loadMarkers = userId => load(sessionStorage, `tidings.markers.${userId}`, []);
export const saveMarkers = (userId, markers) =>
    save(sessionStorage, `tidings.markers.${userId}`, markers);

/** Messages of this tab without an answer: [{roomId, messageId, text, sentAt}]. */
export const loadOutbox = userId => load(sessionStorage, `tidings.outbox.${userId}`, []);
export const saveOutbox = (userId, items) =>
    save(sessionStorage, `tidings.outbox.${userId}`, items.length ? items : null);

/**
 * Draws what rooms.js knows: the list of rooms, the head of one, people. Messages have a file of
 * their own (view_messages.js). Knows no network; text of others goes in by textContent alone.
 *
 * MODEL  `draw…` may be called at any time with the same state and then changes nothing. Lists
 *        are brought to what they should be row by row, by key, so that what is selected,
 *        focused or scrolled to stays where it is.
 */

export const byId = id => document.getElementById(id);
export const clone = id => byId(id).content.firstElementChild.cloneNode(true);

const DAY_MS = 86_400_000;
const TOAST_MS = 6_000;
let toastTimer = null;
export const clock = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'short' });
const shortDate = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const longDate = new Intl.DateTimeFormat(undefined,
    { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });

export const startOfDay = ms => new Date(ms).setHours(0, 0, 0, 0);

export function dayName(ms) {
    const days = Math.round((startOfDay(Date.now()) - startOfDay(ms)) / DAY_MS);
    return days === 0 ? 'Today' : days === 1 ? 'Yesterday' : longDate.format(ms);
}

export function ago(ms) {
    const days = Math.round((startOfDay(Date.now()) - startOfDay(ms)) / DAY_MS);
    return days === 0 ? clock.format(ms) : days < 7 ? weekday.format(ms) : shortDate.format(ms);
}

export function drawAvatar(element, userId, name) {
    let hue = 7;
    for (const letter of userId) {
        hue = (hue * 31 + letter.codePointAt(0)) % 360;
    }
    element.style.setProperty('--hue', hue);
    const words = (name || userId).trim().split(/[\s._-]+/).filter(Boolean);
    const initials = words.slice(0, 2).map(word => Array.from(word)[0]).join('');
    setText(element, initials.toUpperCase() || '?');
}

export function setText(element, text) {
    if (element.textContent !== text) {
        element.textContent = text;
    }
}

/** Brings the children of `list` to `rows`: [{key, make(), update(element)}], by key. */
export function drawList(list, rows) {
    const old = new Map(Array.from(list.children, child => [child.dataset.key, child]));
    let next = list.firstElementChild;
    for (const row of rows) {
        let element = old.get(row.key);
        if (element) {
            old.delete(row.key);
        } else {
            element = row.make();
            element.dataset.key = row.key;
        }
        if (element === next) {
            next = next.nextElementSibling;
        } else {
            list.insertBefore(element, next);
        }
        row.update(element);
    }
    old.forEach(element => element.remove());
}

/** A dot that says whether someone is there. */
export function drawPresence(element, people, userId) {
    const { status } = people.presenceOf(userId);
    element.dataset.status = status;
    element.title = people.describe(userId, ago) || 'Offline';
    element.setAttribute('aria-label', element.title);
}

// ---- The list of rooms ---------------------------------------------------------------------

function preview(room, rooms) {
    const typers = rooms.people.typersIn(room.id);
    if (typers.length > 0) {
        return typingText(typers, rooms.people);
    }
    const last = room.pending.at(-1) ?? room.last;
    if (!last) {
        return room.info.topic || '';
    }
    const text = last.deleted ? 'Message deleted' : last.text ?? '{ … }';
    if (!last.sender || last.sender.userId === rooms.me) {
        return `You: ${text}`;
    }
    return room.isDirect ? text : `${rooms.people.nameOf(last.sender.userId)}: ${text}`;
}

export function drawRooms(rooms, current) {
    const all = rooms.sorted;
    byId('no-rooms').hidden = all.length > 0;
    drawList(byId('rooms'), all.map(room => ({
        key: room.id,
        make: () => clone('t-room'),
        update(row) {
            const link = row.querySelector('a');
            link.href = `#${room.id}`;
            if (room === current) {
                link.setAttribute('aria-current', 'page');
            } else {
                link.removeAttribute('aria-current');
            }
            drawRoomAvatar(row, room, rooms);
            setText(row.querySelector('b'), room.title);
            const last = row.querySelector('.last');
            setText(last, preview(room, rooms));
            last.classList.toggle('typing', rooms.people.typersIn(room.id).length > 0);
            const time = room.last?.timestamp;
            setText(row.querySelector('time'), time ? ago(time) : '');
            drawCount(row.querySelector('.unread'), room.unread, 'unread');
            row.querySelector('.mentioned').hidden = room.mentions === 0;
        },
    })));
}

function drawRoomAvatar(row, room, rooms) {
    const avatar = row.querySelector('.avatar');
    const dot = row.querySelector('.dot');
    avatar.classList.toggle('room', !room.partner);
    dot.hidden = !room.partner;
    if (room.partner) {
        drawAvatar(avatar, room.partner.userId, room.title);
        drawPresence(dot, rooms.people, room.partner.userId);
    } else {
        setText(avatar, room.info.kind === 'public' ? '#' : '◆');
    }
}

function drawCount(badge, count, what) {
    badge.hidden = count === 0;
    setText(badge, count > 99 ? '99+' : String(count));
    badge.setAttribute('aria-label', `${count} ${what}`);
}

export function drawTitle(rooms, current) {
    drawCount(byId('back-unread'), rooms.unread - (current?.unread ?? 0), 'unread elsewhere');
    const count = rooms.unread ? `(${rooms.unread}) ` : '';
    document.title = count + (current ? `${current.title} · Tidings` : 'Tidings');
}

// ---- The head of a room, and who types there -----------------------------------------------

export function drawHead(room, rooms) {
    setText(byId('room-title'), room.title);
    const { partner } = room;
    byId('room-dot').hidden = !partner;
    if (partner) {
        drawPresence(byId('room-dot'), rooms.people, partner.userId);
    }
    setText(byId('room-topic'), partner ? rooms.people.describe(partner.userId, ago)
        : [room.info.topic, room.online === null ? '' : `${room.online} online`]
            .filter(Boolean).join(' · '));
    const count = partner ? 0 : room.info.memberCount;
    setText(byId('member-count'), count ? String(count) : '');
}

function typingText(typers, people) {
    const names = typers.slice(0, 2).map(userId => people.nameOf(userId));
    return typers.length === 1 ? `${names[0]} is typing …`
        : typers.length === 2 ? `${names[0]} and ${names[1]} are typing …`
            : 'Several people are typing …';
}

export function drawTyping(room, people) {
    const typers = people.typersIn(room.id);
    setText(byId('typing'), typers.length > 0 ? typingText(typers, people) : '');
}

// ---- For those who listen --------------------------------------------------------------------

/** Tells those who listen; one at a time, the oldest go. */
export function speak(text) {
    const line = document.createElement('p');
    line.textContent = text;
    byId('spoken').append(line);
    while (byId('spoken').childElementCount > 5) {
        byId('spoken').firstElementChild.remove();
    }
}

/** Says something that passes. */
export function notify(text) {
    clearTimeout(toastTimer);
    setText(byId('toast'), text);
    byId('toast').hidden = false;
    toastTimer = setTimeout(() => { byId('toast').hidden = true; }, TOAST_MS);
}

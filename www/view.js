/**
 * Draws what rooms.js knows. Knows no network; text of others goes in by textContent alone.
 *
 * MODEL  `draw…` may be called at any time with the same state and then changes nothing. Lists
 *        are brought to what they should be row by row, by key, so that what is selected,
 *        focused or scrolled to stays where it is.
 */

export const byId = id => document.getElementById(id);
const clone = id => byId(id).content.firstElementChild.cloneNode(true);

const GROUP_MS = 5 * 60_000;   // messages of one sender this close stand as one group
const DAY_MS = 86_400_000;
const clock = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'short' });
const shortDate = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const longDate = new Intl.DateTimeFormat(undefined,
    { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });

const startOfDay = ms => new Date(ms).setHours(0, 0, 0, 0);

function dayName(ms) {
    const days = Math.round((startOfDay(Date.now()) - startOfDay(ms)) / DAY_MS);
    return days === 0 ? 'Today' : days === 1 ? 'Yesterday' : longDate.format(ms);
}

function ago(ms) {
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

function setText(element, text) {
    if (element.textContent !== text) {
        element.textContent = text;
    }
}

/** Brings the children of `list` to `rows`: [{key, make(), update(element)}], by key. */
function drawList(list, rows) {
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

// ---- The list of rooms ---------------------------------------------------------------------

function preview(room, rooms) {
    const last = room.pending.at(-1) ?? room.newest;
    if (!last) {
        return room.info.topic || '';
    }
    const text = last.deleted ? 'Message deleted' : last.text ?? '{ … }';
    if (!last.sender || last.sender.userId === rooms.userId) {
        return `You: ${text}`;
    }
    return room.info.kind === 'direct' ? text : `${rooms.nameOf(last.sender.userId)}: ${text}`;
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
            const avatar = row.querySelector('.avatar');
            avatar.classList.add('room');
            setText(avatar, room.info.kind === 'public' ? '#' : '◆');
            setText(row.querySelector('b'), room.title);
            setText(row.querySelector('.last'), preview(room, rooms));
            const time = room.newest?.timestamp;
            setText(row.querySelector('time'), time ? ago(time) : '');
            drawUnread(row.querySelector('.unread'), room.unread);
        },
    })));
}

function drawUnread(badge, count) {
    badge.hidden = count === 0;
    setText(badge, count > 99 ? '99+' : String(count));
    badge.setAttribute('aria-label', `${count} unread`);
}

export function drawTitle(rooms, current) {
    const others = rooms.unread - (current?.unread ?? 0);
    drawUnread(byId('back-unread'), others);
    const count = rooms.unread ? `(${rooms.unread}) ` : '';
    document.title = count + (current ? `${current.title} · Tidings` : 'Tidings');
}

// ---- One conversation ----------------------------------------------------------------------

export function drawHead(room) {
    setText(byId('room-title'), room.title);
    setText(byId('room-topic'), room.info.topic || '');
    setText(byId('member-count'), room.info.memberCount ? String(room.info.memberCount) : '');
    byId('text').placeholder = `Message ${room.title}`;
    setText(byId('older'), !room.loaded ? 'Loading …'
        : room.complete ? (room.messages.length ? '' : 'Nothing here yet. Say something.')
            : 'Loading older messages …');
}

/** `act(name, item)` is called for the buttons of a message that was not sent. */
export function drawMessages(room, rooms, act) {
    const rows = [];
    const items = [...room.messages, ...room.pending];
    let marked = !room.newFrom;
    items.forEach((item, at) => {
        const before = items[at - 1];
        const time = timeOf(item);
        let breaks = false;
        if (!before || startOfDay(timeOf(before)) !== startOfDay(time)) {
            rows.push(lineRow(`day ${startOfDay(time)}`, dayName(time), ''));
            breaks = true;
        }
        if (!marked && room.newFrom === item.id) {
            rows.push(lineRow('new', 'New', 'new'));
            marked = breaks = true;
        }
        if (item.type === 'user_joined' || item.type === 'user_left') {
            rows.push(lineRow(item.id, noteText(item, rooms), 'note'));
            return;
        }
        rows.push(messageRow(item, rooms, {
            first: breaks || !isGroup(before, item, rooms),
            last: !isGroup(item, items[at + 1], rooms),
        }, act));
    });
    drawList(byId('list'), rows);
}

const timeOf = item => item.timestamp ?? item.sentAt;
const senderOf = (item, rooms) => item.sender?.userId ?? rooms.userId;

function isGroup(a, b, rooms) {
    return Boolean(a?.messageId && b?.messageId) && !a.error
        && senderOf(a, rooms) === senderOf(b, rooms)
        && timeOf(b) - timeOf(a) < GROUP_MS && startOfDay(timeOf(a)) === startOfDay(timeOf(b));
}

function noteText(item, rooms) {
    const name = rooms.nameOf(item.userId);
    if (item.type === 'user_joined') {
        return `${name} joined`;
    }
    return item.reason === 'removed' ? `${name} was removed`
        : item.reason === 'banned' ? `${name} was banned` : `${name} left`;
}

function lineRow(key, text, kind) {
    return {
        key,
        make: () => clone('t-line'),
        update(row) {
            row.className = `line ${kind}`;
            setText(row.firstElementChild, text);
        },
    };
}

function messageRow(item, rooms, place, act) {
    return {
        key: item.messageId,
        make() {
            const row = clone('t-message');
            fillText(row.querySelector('.text'), item);
            return row;
        },
        update(row) {
            const sender = senderOf(item, rooms);
            const mine = sender === rooms.userId;
            const name = item.sender?.name || rooms.nameOf(sender);
            row.classList.toggle('mine', mine);
            row.classList.toggle('first', place.first);
            row.classList.toggle('last', place.last);
            row.classList.toggle('pending', !item.id);
            row.classList.toggle('refused', Boolean(item.error));
            drawAvatar(row.querySelector('.avatar'), sender, name);
            setText(row.querySelector('.from b'), mine ? 'You' : name);
            const time = row.querySelector('time');
            setText(time, clock.format(timeOf(item)));
            time.dateTime = new Date(timeOf(item)).toISOString();
            time.title = `${dayName(timeOf(item))}, ${clock.format(timeOf(item))}`;
            drawStatus(row.querySelector('.status span'), item, act);
        },
    };
}

function drawStatus(element, item, act) {
    if (!item.error) {
        setText(element, item.id ? '' : 'Sending …');
        return;
    }
    if (element.firstElementChild) {
        return;
    }
    const failed = clone('t-failed');
    failed.querySelector('.why').textContent = `Not sent: ${item.error} `;
    failed.querySelector('.again').onclick = () => act('again', item);
    failed.querySelector('.discard').onclick = () => act('discard', item);
    element.replaceChildren(failed);
}

const LINK = /https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]}]/g;
const ONLY_EMOJI = /^(?:\p{Extended_Pictographic}|\p{Emoji_Modifier}|[\u200d\ufe0f\s]){1,12}$/u;

function fillText(element, item) {
    element.replaceChildren();
    if (item.text === undefined) {
        const code = document.createElement('pre');
        code.textContent = JSON.stringify(item.message, null, 1);
        element.append(code);
        return;
    }
    element.classList.toggle('emoji', ONLY_EMOJI.test(item.text));
    let at = 0;
    for (const match of item.text.matchAll(LINK)) {
        const link = document.createElement('a');
        link.href = match[0];
        link.target = '_blank';
        link.rel = 'noopener noreferrer nofollow';
        link.textContent = match[0];
        element.append(item.text.slice(at, match.index), link);
        at = match.index + match[0].length;
    }
    element.append(item.text.slice(at));
}

// ---- Dialogs -------------------------------------------------------------------------------

export function drawMembers(members, rooms) {
    drawList(byId('members'), members.map(member => ({
        key: member.userId,
        make: () => clone('t-member'),
        update(row) {
            const name = member.userData?.name || rooms.nameOf(member.userId);
            drawAvatar(row.querySelector('.avatar'), member.userId, name);
            setText(row.querySelector('b'), name);
            setText(row.querySelector('.what .soft'), `@${member.userId}`);
            setText(row.querySelector('.role'), member.role === 'member' ? '' : member.role);
        },
    })));
}

/** Tells those who listen; one at a time, the oldest go. */
export function speak(text) {
    const line = document.createElement('p');
    line.textContent = text;
    byId('spoken').append(line);
    while (byId('spoken').childElementCount > 5) {
        byId('spoken').firstElementChild.remove();
    }
}

/**
 * Draws messages: those of a room, or of a thread. By the rules of view.js.
 */
import { byId, clock, clone, dayName, drawAvatar, drawList, setText, startOfDay } from './view.js';
import { isAbove } from './timeline.js';

const GROUP_MS = 5 * 60_000;   // messages of one sender this close stand as one group
const READERS_SHOWN = 5;

/**
 * What stands in `list`. `scene` is {timeline, room, rooms, editing, inThread}; of `act`, what the
 * buttons call, see pane.js.
 */
export function drawMessages(list, scene, act) {
    const { timeline, rooms } = scene;
    const rows = [];
    const stored = scene.room.isDirect // of two, nobody comes or goes
        ? timeline.messages.filter(item => item.messageId) : timeline.messages;
    const items = [...stored, ...timeline.pending];
    const readers = scene.room.isDirect || scene.inThread ? new Map() : readersByItem(scene);
    let marked = !timeline.newFrom;
    items.forEach((item, at) => {
        const before = items[at - 1];
        const time = timeOf(item);
        let breaks = false;
        if (!before || startOfDay(timeOf(before)) !== startOfDay(time)) {
            rows.push(lineRow(`day ${startOfDay(time)}`, dayName(time), ''));
            breaks = true;
        }
        if (!marked && timeline.newFrom === item.id) {
            rows.push(lineRow('new', 'New', 'new'));
            marked = breaks = true;
        }
        if (!item.messageId) {
            rows.push(lineRow(item.id, noteText(item, rooms), 'note'));
            return;
        }
        rows.push(messageRow(item, scene, {
            first: breaks || !isGroup(before, item, rooms),
            last: !isGroup(item, items[at + 1], rooms),
            readers: readers.get(item) ?? [],
        }, act));
    });
    drawList(list, rows);
}

const timeOf = item => item.timestamp ?? item.sentAt;
const senderOf = (item, rooms) => item.sender?.userId ?? rooms.me;

function isGroup(a, b, rooms) {
    return Boolean(a?.messageId && b?.messageId) && !a.error
        && senderOf(a, rooms) === senderOf(b, rooms)
        && timeOf(b) - timeOf(a) < GROUP_MS && startOfDay(timeOf(a)) === startOfDay(timeOf(b));
}

/** Under which message each reader stands: the last one read, if it is another's. */
function readersByItem({ timeline, room, rooms }) {
    const found = new Map();
    for (const [userId, { read }] of room.markers) {
        const item = read && timeline.messages.findLast(
            each => each.messageId && !isAbove(each.id, read));
        if (item && senderOf(item, rooms) !== userId) {
            found.set(item, [...found.get(item) ?? [], userId]);
        }
    }
    return found;
}

function noteText(item, rooms) {
    const name = rooms.people.nameOf(item.userId);
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

// ---- One message ---------------------------------------------------------------------------

function messageRow(item, scene, place, act) {
    const { rooms, room } = scene;
    return {
        key: item.messageId,
        make: () => clone('t-message'),
        update(row) {
            const sender = senderOf(item, rooms);
            const mine = sender === rooms.me;
            const name = rooms.people.nameOf(sender);
            row.classList.toggle('mine', mine);
            row.classList.toggle('first', place.first);
            row.classList.toggle('last', place.last);
            row.classList.toggle('pending', !item.id);
            row.classList.toggle('refused', Boolean(item.error));
            row.classList.toggle('deleted', Boolean(item.deleted));
            row.classList.toggle('blocked', rooms.people.blocked.has(sender));
            row.classList.toggle('to-me', !mine && room.mentionsMe(item));
            drawAvatar(row.querySelector('.avatar'), sender, name);
            setText(row.querySelector('.from b'), mine ? 'You' : name);
            drawQuote(row.querySelector('.quote'), item, scene, act);
            drawText(row, item, scene, act);
            drawReactions(row.querySelector('.reactions'), item, scene, act);
            drawReplies(row.querySelector('.replies'), item, scene, act);
            drawReaders(row.querySelector('.readers'), place.readers, rooms.people);
            drawStatus(row.querySelector('.status'), item, scene, act);
        },
    };
}

function drawQuote(quote, item, { room, rooms }, act) {
    quote.hidden = !item.replyTo || Boolean(item.deleted);
    if (quote.hidden) {
        return;
    }
    const quoted = act.quoted(item.replyTo);
    const name = quoted ? rooms.people.nameOf(senderOf(quoted, rooms)) : '';
    setText(quote, !quoted ? 'An earlier message' : `${name}: ${excerpt(quoted)}`);
    quote.onclick = () => act.seek(item.replyTo);
}

export function excerpt(item) {
    return item.deleted ? 'Message deleted' : (item.text ?? '{ … }').slice(0, 120);
}

/** The text, or the form to change it. It is made anew only when it is another one. */
function drawText(row, item, { rooms, editing }, act) {
    const isEdited = editing === item.messageId && !item.deleted;
    const instead = item.deleted ? 'Message deleted'
        : rooms.people.blocked.has(item.sender?.userId) ? 'You have blocked this person' : null;
    const shown = isEdited ? 'editor' : instead ?? JSON.stringify(
        [item.text, item.message, item.mentions?.map(rooms.people.nameOf, rooms.people)]);
    if (row.shown === shown) {
        return;
    }
    row.shown = shown;
    const text = row.querySelector('.text');
    text.classList.remove('emoji');
    if (isEdited) {
        text.replaceChildren(makeEditor(item, act));
        text.querySelector('textarea').focus();
    } else if (instead) {
        text.textContent = instead;
    } else {
        fillText(text, item, rooms);
    }
}

function makeEditor(item, act) {
    const form = clone('t-editor');
    const text = form.querySelector('textarea');
    text.value = item.text ?? '';
    form.onsubmit = submit => {
        submit.preventDefault();
        act.saveEdit(item, text.value.trim());
    };
    form.querySelector('.cancel').onclick = () => act.cancelEdit();
    text.onkeydown = key => {
        if (key.key === 'Escape') {
            key.stopPropagation();
            act.cancelEdit();
        } else if (key.key === 'Enter' && !key.shiftKey && !key.isComposing) {
            key.preventDefault();
            form.requestSubmit();
        }
    };
    return form;
}

function drawReactions(element, item, { rooms }, act) {
    const reactions = Object.entries(item.reactions ?? {});
    element.hidden = reactions.length === 0;
    drawList(element, reactions.map(([key, { count, users, mine }]) => ({
        key,
        make: () => clone('t-reaction'),
        update(button) {
            const names = users.map(userId => userId === rooms.me ? 'You'
                : rooms.people.nameOf(userId));
            button.title = names.join(', ') + (count > users.length ? ' …' : '');
            button.setAttribute('aria-pressed', String(mine));
            button.setAttribute('aria-label', `${key}, ${count}: ${button.title}`);
            setText(button.firstElementChild, key);
            setText(button.lastElementChild, String(count));
            button.onclick = () => act.react(item, key);
        },
    })));
}

function drawReplies(button, item, { inThread }, act) {
    const count = item.replyCount ?? 0;
    button.hidden = count === 0 || inThread;
    setText(button, count === 1 ? '1 reply' : `${count} replies`);
    button.onclick = () => act.openThread(item);
}

function drawReaders(element, readers, people) {
    element.hidden = readers.length === 0;
    element.title = `Seen by ${readers.map(userId => people.nameOf(userId)).join(', ')}`;
    element.setAttribute('aria-label', element.title);
    drawList(element, readers.slice(0, READERS_SHOWN).map(userId => ({
        key: userId,
        make: () => clone('t-reader'),
        update: avatar => drawAvatar(avatar, userId, people.nameOf(userId)),
    })));
}

function drawStatus(element, item, scene, act) {
    const time = element.querySelector('time');
    setText(time, clock.format(timeOf(item)));
    time.dateTime = new Date(timeOf(item)).toISOString();
    time.title = `${dayName(timeOf(item))}, ${clock.format(timeOf(item))}`;
    setText(element.querySelector('.edited'), item.editedAt && !item.deleted ? 'edited' : '');
    const more = element.querySelector('.more');
    more.hidden = !item.id || Boolean(item.deleted);
    more.onclick = () => act.openMenu(item, more);
    drawFailed(element.querySelector('.state'), item, act);
    drawTicks(element.querySelector('.ticks'), item, scene);
}

/** In a room of two: stored, delivered, seen. */
function drawTicks(element, item, { room, rooms }) {
    const marker = room.markers.get(room.partner?.userId) ?? {};
    element.hidden = !room.isDirect || !item.id || Boolean(item.deleted)
        || senderOf(item, rooms) !== rooms.me;
    const [sign, what] = marker.read && !isAbove(item.id, marker.read) ? ['✓✓', 'Seen']
        : marker.delivered && !isAbove(item.id, marker.delivered) ? ['✓✓', 'Delivered']
            : ['✓', 'Sent'];
    setText(element, sign);
    element.title = what;
    element.setAttribute('aria-label', what);
    element.classList.toggle('seen', what === 'Seen');
}

function drawFailed(element, item, act) {
    if (!item.error) {
        setText(element, item.id ? '' : 'Sending …');
        return;
    }
    if (element.firstElementChild) {
        return;
    }
    const failed = clone('t-failed');
    failed.querySelector('.why').textContent = `Not sent: ${item.error} `;
    failed.querySelector('.again').onclick = () => act.onFailed('again', item);
    failed.querySelector('.discard').onclick = () => act.onFailed('discard', item);
    element.replaceChildren(failed);
}

// ---- Its text ------------------------------------------------------------------------------

const LINK = /https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]}]/;
const ONLY_EMOJI = /^(?:\p{Extended_Pictographic}|\p{Emoji_Modifier}|[\u200d\ufe0f\s]){1,12}$/u;

/** What is marked in a text: links, and the names of those it mentions. */
function marksOf(item, people) {
    const names = new Map();
    for (const userId of item.mentions ?? []) {
        names.set(`@${people.nameOf(userId)}`, userId);
        names.set(`@${userId}`, userId);
    }
    const escaped = [...names.keys()].sort((a, b) => b.length - a.length)
        .map(name => name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
    return { names, pattern: new RegExp([LINK.source, ...escaped].join('|'), 'g') };
}

function fillText(element, item, rooms) {
    element.replaceChildren();
    if (item.text === undefined) {
        const code = document.createElement('pre');
        code.textContent = JSON.stringify(item.message, null, 1);
        element.append(code);
        return;
    }
    element.classList.toggle('emoji', ONLY_EMOJI.test(item.text));
    const { names, pattern } = marksOf(item, rooms.people);
    let at = 0;
    for (const match of item.text.matchAll(pattern)) {
        const userId = names.get(match[0]);
        element.append(item.text.slice(at, match.index),
            userId ? makeMention(match[0], userId === rooms.me) : makeLink(match[0]));
        at = match.index + match[0].length;
    }
    element.append(item.text.slice(at));
}

function makeLink(address) {
    const link = document.createElement('a');
    link.href = address;
    link.target = '_blank';
    link.rel = 'noopener noreferrer nofollow';
    link.textContent = address;
    return link;
}

function makeMention(name, ofMe) {
    const mention = document.createElement('span');
    mention.className = ofMe ? 'mention me' : 'mention';
    mention.textContent = name;
    return mention;
}

/**
 * What can be done with one message: react, answer, change, delete.
 */
import { mentionsIn } from './composer.js';
import { messagePath } from './pane.js';
import { explain } from './signin.js';
import { openMenu } from './menu.js';
import { notify } from './view.js';

const EMOJIS = ['👍', '❤️', '😂', '😮', '😢', '🎉', '👀', '🙏'];

/** `pane()` gives the one that the message stands in. */
export function messageActions(talk, tidings, rooms, pane) {
    const pathOf = (item, rest = '') => messagePath(talk.room.id, item.messageId, rest);

    /** The event tells everyone of it, us too; only what goes wrong is told here. */
    async function ask(method, path, body) {
        try {
            await tidings.request(method, path, body);
            return true;
        } catch (error) {
            notify(explain(error));
            return false;
        }
    }

    function react(item, key) {
        const method = item.reactions?.[key]?.mine ? 'DELETE' : 'PUT';
        return ask(method, pathOf(item, `/reactions/${encodeURIComponent(key)}`));
    }

    function remove(item) {
        if (confirm('Delete this message for everyone?')) {
            ask('DELETE', pathOf(item));
        }
    }

    async function saveEdit(item, text) {
        if (text === (item.text ?? '') || !text) {
            talk.edit(pane(), null);
            return;
        }
        await talk.membersOf(talk.room).catch(() => {}); // without them nobody is mentioned
        const mentions = mentionsIn(text, talk.room, rooms.people);
        if (await ask('PATCH', pathOf(item), { text, message: item.message, mentions })) {
            talk.edit(pane(), null);
        }
    }

    function showMenu(item, anchor) {
        const { room } = talk;
        const mine = item.sender?.userId === rooms.me;
        const inThread = pane().timeline !== room;
        const open = !room.silence;
        openMenu(anchor, [
            open && { label: 'Reply', act: () => talk.replyTo(pane(), item) },
            !inThread && { label: item.replyCount ? 'Open thread' : 'Reply in a thread',
                act: () => talk.go(room.id, item.messageId) },
            item.text !== undefined && { label: 'Copy text',
                act: () => navigator.clipboard?.writeText(item.text) },
            open && mine && item.text !== undefined
                && { label: 'Edit', act: () => talk.edit(pane(), item.messageId) },
            (mine || room.mayModerate)
                && { label: 'Delete', bad: true, act: () => remove(item) },
        ], open ? { keys: EMOJIS, act: key => react(item, key) } : undefined);
    }

    return {
        react,
        saveEdit,
        openMenu: showMenu,
        cancelEdit: () => talk.edit(pane(), null),
        openThread: item => talk.go(talk.room.id, item.messageId),
        quoted: messageId => talk.quoted(messageId),
        seek: messageId => pane().seek(messageId).catch(error => notify(explain(error))),
        onFailed: (name, item) => talk.retry(item, name === 'again'),
        changed: () => talk.changed(),
    };
}

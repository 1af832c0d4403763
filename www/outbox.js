/**
 * Our own messages until they are answered: shown at once, sent until there is an answer, and kept
 * for the next life of this tab if it ends before.
 */
import { explain } from './signin.js';
import { loadOutbox, saveOutbox } from './storage.js';

const CONTENT = ['text', 'replyTo', 'threadId', 'mentions'];

export class Outbox {
    #tidings;
    #rooms;
    #onChange;

    constructor(tidings, rooms, onChange) {
        this.#tidings = tidings;
        this.#rooms = rooms;
        this.#onChange = onChange;
    }

    /** `item` is {messageId, sentAt, text, replyTo?, threadId?, mentions?}. */
    async put(room, item) {
        const timeline = item.threadId ? room.openThread(item.threadId) : room;
        timeline.pending.push(item);
        this.keep();
        try {
            const content = Object.fromEntries(CONTENT.map(name => [name, item[name]]));
            const { stored } = this.#tidings.send(room.id, content, item.messageId);
            this.#rooms.putOwn(room, timeline, item, await stored);
        } catch (error) {
            item.error = explain(error);
        }
        this.keep();
        this.#onChange();
    }

    /** One that was refused is sent once more, or thrown away. */
    retry(room, item, again) {
        const timeline = room.timelineOf(item);
        timeline.pending = timeline.pending.filter(other => other !== item);
        if (again) {
            this.put(room, { ...item, error: undefined, sentAt: Date.now() });
        }
        this.keep();
        this.#onChange();
    }

    get waiting() {
        return this.#rooms.sorted.flatMap(room => room.allPending
            .filter(item => !item.error).map(item => ({ ...item, roomId: room.id })));
    }

    keep() {
        saveOutbox(this.#rooms.me, this.waiting);
    }

    /** What an earlier life of this tab left without an answer; it may well be stored. */
    resend() {
        for (const { roomId, ...item } of loadOutbox(this.#rooms.me)) {
            const room = this.#rooms.get(roomId);
            if (room) {
                this.put(room, item);
            }
        }
    }
}

/**
 * Tells the server how far we have read, and what this browser has been given.
 *
 * BOUNDS One request at a time for reading, with a pause after each: of many moves the last
 *        is told. One acknowledgment in ACK_AFTER_MS at most.
 */
import { Problem } from './tidings.js';
import { roomPath } from './pane.js';

const READ_PAUSE_MS = 300;
const RETRY_MS = 4_000;
const ACK_AFTER_MS = 1_000;

const sleep = ms => new Promise(wake => setTimeout(wake, ms));

export class Markers {
    #tidings;
    #rooms;
    #device;
    #reads = new Map();   // roomId -> upTo, not told yet
    #telling = false;
    #acked = null;        // cursor
    #ackTimer = null;

    constructor(tidings, rooms, device) {
        this.#tidings = tidings;
        this.#rooms = rooms;
        this.#device = device;
    }

    /** The end of a room stands before someone's eyes. */
    noteSeen(room) {
        const upTo = room.markSeen();
        if (upTo) {
            this.#reads.set(room.id, upTo);
            this.#tellReads();
        }
    }

    async #tellReads() {
        if (this.#telling) {
            return;
        }
        this.#telling = true;
        while (this.#reads.size > 0) {
            const [[roomId, upTo]] = this.#reads;
            this.#reads.delete(roomId);
            await sleep(await this.#tellRead(roomId, upTo));
        }
        this.#telling = false;
    }

    /** Gives how long to wait before the next. */
    async #tellRead(roomId, upTo) {
        try {
            const answer = await this.#tidings.request('POST', roomPath(roomId, '/read'),
                { upTo });
            this.#rooms.get(roomId)?.putCounts({ ...answer, readUpTo: answer.upTo });
        } catch (error) {
            if (!(error instanceof Problem) || error.status >= 429) {
                if (!this.#reads.has(roomId)) { // else a later one is waiting
                    this.#reads.set(roomId, upTo);
                }
                return error.retryAfterMs ?? RETRY_MS;
            }
        }
        return READ_PAUSE_MS;
    }

    /** Something has arrived that others may want to know of. */
    noteGiven() {
        this.#ackTimer ??= setTimeout(() => this.#ack(), ACK_AFTER_MS);
    }

    async #ack() {
        this.#ackTimer = null;
        const { cursor } = this.#tidings;
        if (cursor && cursor !== this.#acked) {
            this.#acked = cursor;
            await this.#tidings.request('POST', '/v1/acks', { cursor, device: this.#device })
                .catch(() => {}); // cumulative: the next one says the same and more
        }
    }
}

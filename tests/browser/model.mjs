// What the page knows (rooms.js, changes.js) against what is: events come in order, answers are
// true at an earlier or later moment than the events before them, and nothing is counted twice.
//   node model.mjs '{"origin"}'
import { run, say, spec } from './person.mjs';

const ROUNDS = 3000;

/** Runs in the page. Gives the first difference, or null. */
async function compare(rounds) {
  const PAGE = 6;
  const { Rooms } = await import('/rooms.js');
  const { applyEvent } = await import('/changes.js');
  let state = 1;
  const random = (below) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 8) % below;
  };
  const pick = (list) => list[random(list.length)];

  /** The journal of one room, as the server has it. */
  class Truth {
    constructor() {
      this.events = [];
      this.messages = new Map();
      this.readUpTo = '1-0';
    }

    get head() {
      return `${this.events.length + 1}-0`;
    }

    append(event) {
      const id = `${this.events.length + 2}-0`;
      this.events.push({ id, timestamp: this.events.length, roomId: 'r', ...event });
      return this.events.at(-1);
    }

    send() {
      const messageId = `m${this.events.length}`;
      const by = pick(['me', 'you', 'they']);
      const roots = [...this.messages.values()].filter((each) => !each.threadId);
      const message = { messageId, text: `t${random(1000)}`, sender: { userId: by } };
      if (roots.length && random(4) === 0) message.threadId = pick(roots).messageId;
      if (random(3) === 0) message.mentions = ['me'];
      const event = this.append({ type: 'new_message', ...message });
      this.messages.set(messageId, { ...event, reactions: new Map() });
      if (by === 'me') this.readUpTo = event.id;
    }

    change() {
      const message = pick([...this.messages.values()]);
      if (!message || message.deleted) return;
      const { messageId, threadId } = message;
      const userId = pick(['me', 'you', 'they']);
      const key = pick(['a', 'b']);
      const users = message.reactions.get(key) ?? new Set();
      switch (random(4)) {
        case 0:
          Object.assign(message, { text: `e${random(1000)}`, editedAt: 1,
            mentions: random(2) ? ['me'] : undefined });
          this.append({ type: 'message_edited', messageId, threadId, text: message.text,
            mentions: message.mentions, editedAt: 1 });
          break;
        case 1:
          message.deleted = true;
          this.append({ type: 'message_deleted', messageId, threadId });
          break;
        default:
          if (users.has(userId)) users.delete(userId); else users.add(userId);
          message.reactions.set(key, users);
          this.append({ type: users.has(userId) ? 'reaction_added' : 'reaction_removed',
            messageId, key, userId });
      }
    }

    /** Another session of ours has read up to one of the messages. */
    read() {
      const { id } = pick([...this.messages.values()]) ?? { id: '1-0' };
      if (Number(id.split('-')[0]) > Number(this.readUpTo.split('-')[0])) this.readUpTo = id;
      const { readUpTo: upTo, ...counts } = this.counts;
      return { type: 'message_read', roomId: 'r', userId: 'me', upTo, ...counts, asOf: this.head };
    }

    get counts() {
      const number = (id) => Number(id.split('-')[0]);
      const rest = [...this.messages.values()].filter((each) => !each.deleted && !each.threadId
        && each.sender.userId !== 'me' && number(each.id) > number(this.readUpTo));
      return { unread: rest.length,
        mentions: rest.filter((each) => each.mentions?.includes('me')).length,
        readUpTo: this.readUpTo };
    }

    describe({ messageId, id, sender, threadId, text, mentions, editedAt, deleted, reactions }) {
      const replies = [...this.messages.values()].filter((each) => !each.deleted
        && each.threadId === messageId).length;
      const kept = [...reactions].filter(([, users]) => users.size).map(([key, users]) => [key,
        { count: users.size, users: [...users], mine: users.has('me') }]);
      return { messageId, id, sender, threadId, ...replies && { replyCount: replies },
        ...deleted ? { deleted } : { text, mentions, editedAt,
          ...kept.length && { reactions: Object.fromEntries(kept) } } };
    }

    page() {
      const all = [...this.messages.values()].map((each) => this.describe(each)).reverse();
      return { messages: structuredClone(all.slice(0, PAGE)), asOf: this.head,
        nextBefore: all[PAGE - 1] && all[PAGE] ? all[PAGE - 1].id : undefined };
    }
  }

  const shape = (item) => JSON.stringify([item.messageId, item.deleted ? null : item.text,
    Boolean(item.editedAt), item.deleted ? null : item.mentions ?? null, item.replyCount ?? 0,
    Object.entries(item.reactions ?? {}).map(([key, { count, mine }]) => [key, count, mine])
      .sort()]);

  for (let round = 0; round < rounds; round++) {
    state = round + 1;
    const truth = new Truth();
    const rooms = new Rooms();
    rooms.people.me = 'me';
    for (let step = random(10); step > 0; step--) truth.send();
    const answers = [];   // on their way
    let given = truth.events.length;
    const info = () => ({ roomId: 'r', kind: 'public', asOf: truth.head, ...truth.counts });
    rooms.putRooms([info()], truth.head);
    const room = rooms.get('r');
    const receive = () => {
      const answer = answers.shift();
      if (answer.page) {
        room.forget(answer.page.asOf);
        rooms.putPage(room, room, answer.page);
      } else if (answer.event) {
        applyEvent(rooms, answer.event);
        askIfDoubtful();
      } else {
        rooms.putRoom(answer.info);
      }
    };
    const askIfDoubtful = () => { // as chat.js does after each event
      if (room.doubtful && !answers.some((answer) => answer.asked)) {
        answers.push({ info: info(), asked: true });
      }
    };
    const give = () => {
      applyEvent(rooms, truth.events[given++]);
      askIfDoubtful();
    };
    for (let step = 0; step < 60; step++) {
      switch (random(8)) {
        case 7: if (random(3) === 0) answers.push({ event: truth.read() }); break;
        case 0: truth.send(); break;
        case 1: case 2: truth.change(); break;
        case 3: answers.push({ page: truth.page() }); break;
        case 4: answers.push({ info: info() }); break;
        case 5: if (answers.length) receive(); break;
        default: if (given < truth.events.length) give();
      }
    }
    while (answers.length || given < truth.events.length) {
      if (answers.length && (random(2) || given === truth.events.length)) receive();
      else give();
    }
    if (room.doubtful) rooms.putRoom(info()); // it would be asked at the next event
    const expected = [...truth.messages.values()].filter((each) => !each.threadId)
      .map((each) => shape(truth.describe(each)));
    const found = room.messages.filter((each) => each.messageId).map(shape);
    const wanted = found.length ? expected.slice(-found.length) : [];
    if (JSON.stringify(found) !== JSON.stringify(wanted)
      || (room.complete && found.length < expected.length)) {
      const at = wanted.findIndex((each, index) => each !== found[index]);
      return `round ${round}: ${found[at]} and not ${wanted[at]}`;
    }
    const { unread, mentions } = truth.counts;
    if (room.unread !== unread || room.mentions !== mentions) {
      return `round ${round}: ${room.unread} unread, ${room.mentions} mentions, and not `
        + `${unread}, ${mentions}`;
    }
  }
  return null;
}

async function model(browser) {
  const page = await browser.newPage();
  await page.goto(`${spec.origin}/clients.html`);
  const fault = await page.evaluate(compare, ROUNDS);
  if (fault) throw new Error(fault);
  say({ seen: 'events and answers in whatever order' });
}

await run(model);

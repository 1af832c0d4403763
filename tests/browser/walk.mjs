// Two people on the chat page, in Debian's Chromium:
//   node walk.mjs '{"origin", "screenshot"?}'
// Prints one JSON line for each thing that was seen: {seen} or {fault}; asks for what only the
// test can do with {do} and waits for a line on stdin.
import { existsSync } from 'node:fs';
import readline from 'node:readline';
import { chromium } from 'playwright-core';

const spec = JSON.parse(process.argv[2]);
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const EXECUTABLE = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (line) => console.log(JSON.stringify(line));

async function ask(what) {
  say({ do: what });
  return (await lines.next()).value;
}

class Person {
  static async enter(browser, name) {
    const person = new Person();
    person.name = name;
    person.context = await browser.newContext({ viewport: { width: 1000, height: 700 } });
    person.page = await person.context.newPage();
    person.problems = [];
    person.page.on('pageerror', (fault) => person.problems.push(String(fault)));
    await person.page.goto(spec.origin);
    await person.page.fill('#name', name);
    await person.page.click('#sign-in-form button');
    await person.page.waitForSelector('#app:not([hidden])');
    return person;
  }

  async join(room) {
    await this.page.click('#new-room-open');
    await this.page.fill('#new-room-name', room);
    await this.page.click('#new-room .main');
    await this.page.waitForSelector('#composer:not([hidden])');
  }

  async send(text) {
    await this.page.fill('#text', text);
    await this.page.click('#composer button');
  }

  texts() {
    return this.page.$$eval('#list li.message .text', (all) => all.map((one) => one.textContent));
  }

  async sees(expected) {
    await this.page.waitForFunction((wanted) => {
      const all = [...document.querySelectorAll('#list li.message .text')];
      return all.length >= wanted.length && all.at(-1)?.textContent === wanted.at(-1);
    }, expected);
    const texts = await this.texts();
    if (JSON.stringify(texts) !== JSON.stringify(expected)) {
      throw new Error(
        `${this.name} sees ${JSON.stringify(texts)}, not ${JSON.stringify(expected)}`);
    }
  }

  isIn(state) {
    return this.page.waitForSelector(`#connection[data-state=${state}]`, { state: 'attached' });
  }
}

// Chromium's own EventSource, by the cookie of the page, by types.
async function nativeStream(person, said) {
  await person.page.evaluate(() => {
    window.heard = [];
    window.source = new EventSource('/v1/events');
    for (const type of ['connected', 'new_message']) {
      window.source.addEventListener(type, (event) => window.heard.push(
        { type, id: event.lastEventId, data: JSON.parse(event.data) }));
    }
  });
  await person.page.waitForFunction(() => window.heard.some((one) => one.type === 'connected'));
  await person.send('natively');
  said.push('natively');
  await person.page.waitForFunction(() => window.heard.some((one) => one.type === 'new_message'));
  const heard = await person.page.evaluate(() => window.heard.at(-1));
  if (heard.data.text !== 'natively' || heard.id !== heard.data.id) {
    throw new Error(`heard ${JSON.stringify(heard)}`);
  }
}

async function walk(browser) {
  const said = ['Hello?', 'Is anyone here?', 'I will wait.'];
  const alice = await Person.enter(browser, 'Alice');
  await alice.join('walk');
  for (const text of said) await alice.send(text);
  await alice.sees(said);
  say({ seen: 'one person talks to herself' });

  const bob = await Person.enter(browser, 'Bob');
  await bob.join('walk');
  await bob.sees(said);
  say({ seen: 'history on joining' });

  for (const [who, text] of [[bob, 'Here I am \u{1F44B}'], [alice, '<b>Welcome</b> & "hello"'],
    [bob, 'Line one\nline two'], [alice, 'Good.']]) {
    await who.send(text);
    said.push(text);
    await alice.sees(said);
    await bob.sees(said);
  }
  say({ seen: 'they chat' });

  await nativeStream(alice, said);
  await bob.sees(said);
  say({ seen: 'a native EventSource by cookie' });

  await alice.isIn('live');
  await ask('stop the server');
  await bob.isIn('reconnecting');
  say({ seen: 'the break is shown' });
  said.push(...JSON.parse(await ask('start the server and post')));
  await bob.sees(said);
  await alice.sees(said);
  await alice.isIn('live');
  await bob.isIn('live');
  await bob.send('That was short.');
  said.push('That was short.');
  await alice.sees(said);
  say({ seen: 'both come back by themselves and missed nothing' });

  await alice.page.waitForFunction((count) => window.heard.filter(
    (one) => one.type === 'new_message').length === count, said.length - 7);
  say({ seen: 'so does the native EventSource' });

  if (spec.screenshot) await alice.page.screenshot({ path: spec.screenshot });
  const problems = [...alice.problems, ...bob.problems];
  if (problems.length) throw new Error(problems.join('; '));
  say({ seen: 'no error in the page' });
}

const browser = await chromium.launch({ executablePath: EXECUTABLE, headless: true, args: FLAGS });
try {
  await walk(browser);
} catch (fault) {
  say({ fault: String(fault.stack) });
} finally {
  await browser.close();
  process.exit(0);
}

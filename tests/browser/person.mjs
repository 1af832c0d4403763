// Someone on the chat page, in Debian's Chromium, and how a script talks with its test: one JSON
// line for each thing that was seen, {seen} or {fault}; {do} asks for what only the test can do,
// and is answered by a line on stdin.
import { existsSync } from 'node:fs';
import readline from 'node:readline';
import { chromium } from 'playwright-core';

export const spec = JSON.parse(process.argv[2]);
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const EXECUTABLE = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
export const say = (line) => console.log(JSON.stringify(line));

export async function ask(what) {
  say({ do: what });
  return (await lines.next()).value;
}

/** Runs `walk(browser)` and ends the process. */
export async function run(walk) {
  const browser = await chromium.launch(
    { executablePath: EXECUTABLE, headless: true, args: FLAGS });
  try {
    await walk(browser);
  } catch (fault) {
    say({ fault: String(fault.stack) });
  } finally {
    await browser.close();
    process.exit(0);
  }
}

export class Person {
  static async enter(browser, name, options = {}) {
    const person = new Person();
    person.name = name;
    person.context = await browser.newContext(
      { viewport: { width: 1100, height: 760 }, ...options });
    person.page = await person.context.newPage();
    person.problems = [];
    person.page.on('pageerror', (fault) => person.problems.push(String(fault)));
    person.page.on('dialog', (dialog) => dialog.accept());
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
    await this.page.click('#composer button.main');
  }

  /** The message of that text, in the room or in `where`. */
  message(text, where = '#list') {
    return this.page.locator(`${where} li.message`).filter(
      { has: this.page.locator('.text', { hasText: text }) });
  }

  /** Opens the menu of a message and chooses a line or an emoji of it. */
  async choose(text, line, where) {
    await this.message(text, where).hover();
    await this.message(text, where).locator('.more').click();
    await this.page.locator('#menu').getByText(line, { exact: true }).click();
  }

  room(name) {
    return this.page.locator('#rooms li').filter(
      { has: this.page.locator('b', { hasText: name }) });
  }

  /** Opens the menu of a member and chooses a line of it; the dialog stays open. */
  async chooseMember(name, line) {
    if (!await this.page.locator('#room-info').isVisible()) await this.page.click('#room-open');
    const member = this.page.locator('#members li').filter(
      { has: this.page.locator('b', { hasText: name }) });
    await member.locator('.more').click();
    await this.page.locator('#menu').getByText(line, { exact: true }).click();
  }

  closeMembers() {
    return this.page.click('#room-info .cancel');
  }

  /** Until the page has an element like this, once or `count` times. */
  async has(locator, count = 1) {
    const found = typeof locator === 'string' ? this.page.locator(locator) : locator;
    const until = Date.now() + 15_000;
    while (await found.count() !== count) {
      if (Date.now() > until) {
        throw new Error(`${this.name} has ${await found.count()} and not ${count} of ${found}`);
      }
      await this.page.waitForTimeout(20);
    }
  }

  lacks(locator) {
    return this.has(locator, 0);
  }

  screenshot(name) {
    return spec.screenshots && this.page.screenshot({ path: `${spec.screenshots}/${name}.png` });
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

// The console as its reader meets it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startBrowser } from "./browser.mjs";
import { caller, startMock, startSkein } from "./servers.mjs";

/** What Chromium writes to its console when a connection is lost, which the page cannot prevent. */
const LOST = /^on the console: Failed to load resource: net::ERR_/;
/** And when the server refuses a request. */
const REFUSED = /^on the console: Failed to load resource: the server responded with a status of (\d+)/;

/**
 * Starts a model, a server and a browser before the tests of a file and stops them after. `check` makes a test that is
 * given the page of a new visitor; what may not happen on any page fails it. `env` is the server's.
 */
export function startConsole({ env } = {}) {
  const world = {};
  before(async () => {
    world.mock = await startMock();
    world.skein = await startSkein({ mock: world.mock, env: await env?.() });
    world.browser = await startBrowser();
  });
  after(async () => {
    await world.browser?.stop();
    await world.skein?.stop();
    await world.mock?.stop();
  });
  /**
   * `lossy`: connections are lost on purpose. `refused`: the statuses that requests are refused with on purpose. `prepare`
   * gives what the body gets too, such as the page's own `url`.
   */
  world.check = (name, body, { lossy = false, refused = [], prepare = () => ({}), ...options } = {}) =>
    test(name, async () => {
      world.skein.checkAlive();
      world.mock.checkAlive();
      const prepared = await prepare();
      const visitor = await world.browser.visit(prepared.url ?? world.skein.url, options);
      try {
        await body({ ...visitor, ...prepared });
        const meant = (fault) => (lossy && LOST.test(fault)) || refused.includes(Number(REFUSED.exec(fault)?.[1]));
        assert.deepEqual(visitor.faults.filter((fault) => !meant(fault)), []);
      } finally {
        await visitor.context.close();
        await prepared.stop?.();
      }
    });
  return world;
}

/** Sends a text as a person does. */
export async function send(page, text) {
  await page.getByTestId("composer").fill(text);
  await page.getByTestId("send").click();
}

/** Waits until an answer on the page shows token number `index` of mock-llm. */
export async function shows(page, index) {
  await page.getByTestId("answer-text").filter({ hasText: new RegExp(`tok${index}\\b`) }).waitFor();
}

/** Waits until no answer is being written, and the page shows it. */
export async function rests(page) {
  await page.getByTestId("stop").waitFor({ state: "hidden" });
  await page.locator("article[aria-busy='true']").waitFor({ state: "detached" });
}

/** Sends a text and waits for the end of its answer. */
export async function ask(page, text) {
  const asked = await page.getByTestId("message-user").count();
  await send(page, text);
  await page.getByTestId("message-user").nth(asked).waitFor();
  await rests(page);
}

/** The texts of all answers on the page. */
export async function answers(page) {
  return (await page.getByTestId("answer-text").allInnerTexts()).map((text) => text.trim());
}

/** The id of the conversation that the page shows. */
export function openChat(page) {
  return new URL(page.url()).searchParams.get("c");
}

/** The calls that the page's reader may make. */
export async function asReader(page, skein) {
  const token = await page.waitForFunction(() => localStorage.getItem("skein.token"));
  return caller(skein, await token.jsonValue());
}

/** Notes every state of the page's last answer from now on; `recorded` gives them: its text and its colours. */
export async function record(page) {
  await page.evaluate(() => {
    const notes = (globalThis.notes = []);
    const look = () => {
      const answer = [...document.querySelectorAll('[data-testid="answer-text"]')].at(-1);
      const note = { text: answer?.textContent.trim() ?? "", coloured: Boolean(answer?.querySelector(".hljs-keyword")) };
      if (note.text !== notes.at(-1)?.text || note.coloured !== notes.at(-1)?.coloured) notes.push(note);
    };
    const all = { subtree: true, childList: true, characterData: true };
    new MutationObserver(look).observe(document.getElementById("messages"), all);
  });
}

export const recorded = (page) => page.evaluate(() => globalThis.notes);

/** Fails unless the answer only ever grew: each state is a beginning of `text`, and the last is all of it. */
export function grewTo(notes, text) {
  let longest = 0;
  for (const note of notes) {
    assert.ok(text.startsWith(note.text), `the page showed «${note.text}»`);
    assert.ok(note.text.length >= longest, `the page took back what came after «${note.text}»`);
    longest = note.text.length;
  }
  assert.equal(notes.at(-1)?.text, text);
}

// What a visitor does on the page of `page/chat.jsx`, and what must be seen then: the same in jsdom and in Chromium.

import assert from "node:assert/strict";

import { guest as newGuest } from "./servers.mjs";
import { textOf, tokens } from "./chat.mjs";
import { asksToResume } from "./versions.mjs";
import { calling } from "./world.mjs";

const WEATHER = `${calling("getWeather", { city: "Paris" })} What is the weather?`;

/**
 * The scenarios, by name. Each is given `visit`, which opens the page of a new chat of a new guest, the `world` that serves
 * it, and the `name` of the package `ai`.
 */
export const SCENARIOS = {
  "streams an answer under the ids that are stored, and lists the chat by its title": async ({ visit }) => {
    const answer = tokens(120, 10);
    const { page, stored, guest } = await visit();
    await page.send(answer.prompt);
    await page.until((now) => now.messages[1]?.text.startsWith("tok0 tok1") && now.status === "streaming", "streaming");
    await page.rests();

    assert.deepEqual(await page.texts(), [answer.prompt, answer.text]);
    assert.deepEqual(await page.ids(), await stored());
    const { title } = await page.until((now) => now.title !== "", "a title");
    const { body } = await guest.call("GET", "/api/history");
    assert.equal(title, body.chats[0].title);
    page.neverDoubled(answer.text);
  },

  "goes on in the conversation, also after it was loaded anew": async ({ visit }) => {
    const { page, stored } = await visit();
    await page.ask(tokens(3, 0).prompt);
    await page.ask(tokens(4, 0).prompt);
    await page.reload();
    await page.until((now) => now.messages.length === 4, "the four messages");
    await page.ask(tokens(5, 0).prompt);

    const texts = await page.texts();
    assert.deepEqual([texts[1], texts[3], texts[5]], [3, 4, 5].map((count) => tokens(count, 0).text));
    assert.deepEqual(await page.ids(), await stored());
    assert.ok(!page.requests.some((request) => request.endsWith("/stream")), "there was nothing to resume");
  },

  "shows a document while it is written, and the stored one at its end": async ({ visit }) => {
    const { page, stored } = await visit();
    await page.ask(`${calling("createDocument", { title: "Rivers of the north", kind: "text" })} Write, please.`);
    const { artifact, messages } = await page.until((now) => now.artifact?.stored, "the stored document");

    assert.deepEqual([artifact.kind, artifact.title, artifact.done], ["text", "Rivers of the north", true]);
    assert.ok(artifact.written.length > 100);
    assert.equal(artifact.stored, artifact.written);
    assert.deepEqual(messages[1].tools.map((tool) => [tool.name, tool.state]), [["createDocument", "output-available"]]);
    assert.deepEqual(await page.ids(), await stored());
  },

  "stops when it is told to, and sends again": async ({ visit }) => {
    const answer = tokens(3000, 10);
    const { page, stored, guest, chat } = await visit();
    await page.send(answer.prompt);
    await page.until((now) => now.messages[1]?.text.includes("tok10"), "ten words");
    await page.click("stop");
    const stopped = (await page.rests()).messages[1].text;
    await page.ask(tokens(4, 0).prompt);

    const texts = await page.texts();
    assert.equal(texts[1], stopped, "nothing was added after the stop");
    assert.equal(texts[3], tokens(4, 0).text);
    assert.deepEqual(await page.ids(), await stored());
    const kept = textOf((await guest.messages(chat))[1]);
    assert.ok(answer.text.startsWith(kept) && kept.startsWith(stopped), `«${kept}» is stored`);
  },

  "shows every word once after it was loaded anew in mid-answer": async ({ visit, name }) => {
    const answer = tokens(150, 20);
    const { page, stored } = await visit();
    await page.send(answer.prompt);
    await page.until((now) => now.messages[1]?.text.includes("tok10"), "ten words");
    page.requests.length = 0;
    await page.reload();
    await page.until((now) => now.messages[1]?.text.includes("tok20"), "the answer going on");
    const joins = page.requests.filter((request) => request.endsWith("/stream"));
    assert.equal(joins.length, asksToResume(name), `it asked for ${page.requests}`);
    await page.until((now) => now.messages[1]?.text.includes("tok149"), "the answer's end");
    await page.rests();

    assert.deepEqual(await page.texts(), [answer.prompt, answer.text]);
    assert.deepEqual(await page.ids(), await stored());
    page.neverDoubled(answer.text);
  },

  "answers an edited message anew": async ({ visit }) => {
    const { page, stored, guest, chat } = await visit();
    await page.ask(tokens(3, 0).prompt);
    const [question, first] = await page.ids();
    await page.fill(tokens(5, 0).prompt);
    await page.click("resend");
    await page.until((now) => now.messages[1] && now.messages[1].id !== first[1], "another answer");
    await page.rests();

    assert.deepEqual(await page.texts(), [tokens(5, 0).prompt, tokens(5, 0).text]);
    assert.deepEqual((await page.ids())[0], question);
    assert.deepEqual(await page.ids(), await stored());
    assert.equal((await guest.messages(chat))[0].parts[0].text, tokens(5, 0).prompt);
  },

  "stops, and answers an edited message anew": async ({ visit }) => {
    const { page, stored } = await visit();
    await page.send(tokens(3000, 10).prompt);
    await page.until((now) => now.messages[1]?.text.includes("tok10"), "ten words");
    await page.click("stop");
    await page.rests();
    const [, first] = await page.ids();
    await page.fill(tokens(5, 0).prompt);
    await page.click("resend");
    await page.until((now) => now.messages[1] && now.messages[1].id !== first[1], "another answer");
    await page.rests();

    assert.deepEqual(await page.texts(), [tokens(5, 0).prompt, tokens(5, 0).text]);
    assert.deepEqual(await page.ids(), await stored());
  },

  "tells of a refused request by its code": async ({ visit }) => {
    const { page } = await visit();
    await page.send("x".repeat(2001));
    const { error } = await page.until((now) => now.error !== "", "an error");

    assert.equal(error, "bad_request:api");
  },
};

/** What else there is where nobody is asked before a tool runs. */
export const UNASKED = {
  "shows the weather": async ({ visit }) => {
    const { page, stored } = await visit();
    await page.ask(WEATHER);

    const [, answer] = (await page.look()).messages;
    assert.deepEqual(answer.tools, [{ name: "getWeather", state: "output-available", shows: "Paris: 7.5 °C, at most 7.5, day" }]);
    assert.match(answer.text, /^The tool answered: /);
    assert.deepEqual(await page.ids(), await stored());
  },
};

/** What else there is where a reader is asked before a tool runs. */
export const ASKED = {
  "asks, and shows the weather when it is allowed": async ({ visit }) => {
    const { page, stored } = await visit();
    await page.ask(WEATHER);
    assert.equal((await page.look()).messages[1].tools[0].state, "approval-requested");
    await page.click("allow");
    await page.until((now) => now.messages[1].text.startsWith("The tool answered"), "the rest of the answer");
    const { messages } = await page.rests();

    assert.equal(messages.length, 2, "it goes on in the same message");
    assert.deepEqual(messages[1].tools, [
      { name: "getWeather", state: "output-available", shows: "Paris: 7.5 °C, at most 7.5, day" },
    ]);
    assert.deepEqual(await page.ids(), await stored());
  },

  "asks, and goes on with the next message when it is denied": async ({ visit, world }) => {
    const before = world.weather.asked();
    const { page, stored, guest, chat } = await visit();
    await page.ask(WEATHER);
    await page.click("deny");
    await page.until((now) => now.messages[1].tools[0].state === "approval-responded", "the denial");
    await page.ask(tokens(4, 0).prompt);

    assert.equal((await page.texts())[3], tokens(4, 0).text);
    assert.deepEqual(await page.ids(), await stored());
    const [, asked] = await guest.messages(chat);
    const { state, approval } = asked.parts.find((part) => part.type === "tool-getWeather");
    assert.deepEqual([state, approval.reason], ["output-denied", "User denied it"]);
    assert.equal(world.weather.asked(), before, "nothing ran");
  },

  "still asks after it was loaded anew": async ({ visit }) => {
    const { page, stored } = await visit();
    await page.ask(WEATHER);
    await page.reload();
    await page.until((now) => now.messages[1]?.tools[0]?.state === "approval-requested", "the question");
    await page.rests();
    await page.click("allow");
    await page.until((now) => now.messages[1].text.startsWith("The tool answered"), "the rest of the answer");
    const { messages } = await page.rests();

    assert.equal(messages[1].tools[0].state, "output-available");
    assert.equal(messages[1].tools.length, 1);
    assert.deepEqual(await page.ids(), await stored());
  },
};

/**
 * Makes the `visit` of the scenarios: `open` opens a page and gives its bare hands, `look`, `click`, `fill`, `reload`,
 * `pause` and `requests`.
 */
export function visitor(world, open) {
  return async () => {
    const guest = await newGuest(world.skein);
    const chat = crypto.randomUUID();
    const bare = await open({ api: world.skein.url, token: guest.token, chat });
    return { page: await onPage(bare), guest, chat, stored: async () => idsOf(await guest.messages(chat)) };
  };
}

const idsOf = (messages) => messages.map((message) => [message.role, message.id]);

async function onPage(bare) {
  const seen = [];
  const until = async (predicate, what) => {
    const deadline = Date.now() + 20_000;
    for (;;) {
      const now = await bare.look();
      const text = now.messages.at(-1)?.text;
      if (text) seen.push(text);
      if (!["", "mounting"].includes(now.status) && predicate(now)) return now;
      if (Date.now() > deadline) throw new Error(`${what} never came: ${JSON.stringify(now)}`);
      await bare.pause();
    }
  };
  const page = {
    ...bare,
    until,
    /** Waits until the page neither sends nor receives. */
    rests: () => until((now) => ["ready", "error"].includes(now.status), "rest"),
    send: async (text) => {
      await bare.fill(text);
      await bare.click("send");
    },
    /** Sends a text and waits for the end of its answer. */
    ask: async (text) => {
      const { length } = (await bare.look()).messages;
      await page.send(text);
      await until((now) => now.messages.length === length + 2, "an answer");
      return page.rests();
    },
    texts: async () => (await bare.look()).messages.map((message) => message.text),
    ids: async () => idsOf((await bare.look()).messages),
    /** Fails unless each text that was seen of an answer is a beginning of `text`. */
    neverDoubled: (text) => {
      const wrong = seen.filter((each) => !text.startsWith(each) && !each.startsWith("[[mock"));
      assert.deepEqual(wrong, []);
    },
  };
  await page.until((now) => now.status === "ready", "the page");
  return page;
}

// A page that comes back, with what the server gives it to begin with.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { textOf, tokens } from "../support/chat.mjs";
import { RESUMES_IN_PLACE, VERSIONS } from "../support/versions.mjs";
import { checkStream, chunks } from "../support/wire.mjs";
import { calling, onPage, startWorld } from "../support/world.mjs";

for (const name of VERSIONS) {
  const ai = await import(name);

  describe(name, () => {
    const world = startWorld();
    const reloaded = async (page) => world.open(ai, { id: page.id, messages: await world.guest.messages(page.id) });

    test("shows what is stored as it was shown when it was streamed", async () => {
      const page = world.open(ai);
      await page.send('[[mock: reasoning="First I think." tokens=4]] Why?');
      await page.send(`${calling("getWeather", { city: "Paris" })} What is the weather?`);
      await page.send(`${calling("getWeather", { city: "Atlantis" })} And there?`);
      const again = await reloaded(page);

      assert.deepEqual(onPage(again), onPage(page));
      // The package keeps the id of reasoning that was streamed.
      const bare = (message) => JSON.parse(JSON.stringify(message.parts.map(({ id, ...part }) => part)));
      assert.deepEqual(again.chat.messages.filter(isAnswer).map(bare), page.chat.messages.filter(isAnswer).map(bare));
      for (const { metadata, role } of again.chat.messages) {
        assert.match(metadata.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        assert.equal(metadata.status, "completed");
        assert.equal(role === "assistant", metadata.usage?.outputTokens > 0);
      }
      await again.send(tokens(3, 0).prompt);
      assert.equal(again.chat.error, undefined);
      assert.equal(again.text(), tokens(3, 0).text);
      assert.deepEqual(await world.stored(page.id), onPage(again));
    });

    test("resumes in the middle of a tool's steps", async () => {
      const page = world.open(ai);
      const sending = page.send(`${calling("getWeather", { city: "Paris" }, "pace_ms=60")} What is the weather?`);
      await page.shows(20);
      const again = await reloaded(page);
      await again.chat.resumeStream();
      await sending;

      assert.equal(again.calls()[0].state, "output-available");
      assert.equal(again.text(), page.text());
      assert.equal(again.bodies[0].text, page.bodies[0].text);
      assert.deepEqual(await world.stored(page.id), onPage(again));
    });

    test("has the whole answer of a page that was left", async () => {
      const answer = tokens(200, 10);
      const page = world.open(ai);
      const sending = page.send(`[[mock: reasoning="First I think."]] ${answer.prompt}`);
      await page.shows(50);
      await page.chat.stop();
      await sending;
      const again = await reloaded(page);
      await again.chat.resumeStream();

      assert.equal(again.text(), answer.text);
      const [, { parts }] = await world.guest.messages(page.id);
      const thoughtAndSaid = parts.filter((part) => part.type !== "step-start");
      assert.deepEqual(thoughtAndSaid.map((part) => [part.type, part.state]), [["reasoning", "done"], ["text", "done"]]);
      assert.equal(thoughtAndSaid[1].text, answer.text);
    });

    test("shows every word once that was kept when the server was killed", async () => {
      const answer = tokens(3000, 10);
      const page = world.open(ai);
      const sending = page.send(answer.prompt);
      await page.shows(400);
      await world.restart();
      await sending;
      assert.equal(page.chat.status, "error");
      const seen = page.text();

      const messages = (await world.guest.messages(page.id)).slice(0, 1);
      const again = world.open(ai, { id: page.id, messages });
      await again.chat.resumeStream();
      assert.equal(again.chat.status, "error", "it is told that the answer was interrupted");
      await checkStream(again.bodies[0].text, ai);
      assert.equal(chunks(again.bodies[0].text).filter((chunk) => chunk.type === "error").length, 1);
      const kept = textOf((await world.guest.messages(page.id))[1]);
      assert.equal(again.text(), kept);
      assert.ok(kept.length > 0 && answer.text.startsWith(kept), `«${kept}» was kept`);
      assert.ok(answer.text.startsWith(seen));
      assert.deepEqual(await world.stored(page.id), onPage(again));

      if (RESUMES_IN_PLACE.includes(name)) {
        await page.chat.resumeStream();
        assert.equal(page.text(), kept);
        assert.deepEqual(onPage(page), onPage(again));
      }
      await again.send(tokens(3, 0).prompt);
      assert.equal(again.chat.status, "ready");
      assert.equal(again.text(), tokens(3, 0).text);
      assert.deepEqual(await world.stored(page.id), onPage(again));
    });
  });
}

const isAnswer = (message) => message.role === "assistant";

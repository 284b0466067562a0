// Calls that wait for their reader's consent, as the npm package `ai` asks for it and answers.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ASKING, chunksFor } from "../support/versions.mjs";
import { checkStream, chunks } from "../support/wire.mjs";
import { calling, onPage, startWorld } from "../support/world.mjs";

const ASK = `${calling("getWeather", { city: "Paris" })} What is the weather?`;

for (const name of ASKING) {
  const ai = await import(name);
  const allowed = chunksFor(name);

  describe(name, () => {
    const world = startWorld({ SKEIN_AI_SDK_CHUNKS: allowed });
    const check = async (page) => {
      for (const body of page.bodies) await checkStream(body.text, ai, allowed);
      assert.equal(page.chat.error, undefined);
      assert.deepEqual(await world.stored(page.id), onPage(page));
    };
    const asked = async (text = ASK) => {
      const page = world.open(ai);
      await page.send(text);
      assert.deepEqual(page.calls().map((call) => call.state), ["approval-requested"]);
      return page;
    };
    /** The page after it was loaded anew. It resumes as the template's does, where the last message is the user's. */
    const reloaded = async (page) => {
      const messages = await world.guest.messages(page.id);
      const again = world.open(ai, { id: page.id, messages });
      if (messages.at(-1).role === "user") await again.chat.resumeStream();
      return again;
    };
    const typesOf = (body) => {
      const types = chunks(body.text).map((chunk) => chunk.type).filter((type) => !type.startsWith("data-"));
      return types.filter((type, index) => type !== types[index - 1]);
    };
    const says = ["start-step", "text-start", "text-delta", "text-end", "finish-step", "finish"];

    test("asks before it runs", async () => {
      const before = world.weather.asked();
      const page = await asked();

      assert.equal(page.chat.status, "ready");
      assert.equal(world.weather.asked(), before, "nothing ran");
      const asks = ["tool-input-start", "tool-input-delta", "tool-input-available", "tool-approval-request"];
      assert.deepEqual(typesOf(page.bodies[0]), ["start", "start-step", ...asks, "finish-step", "finish"]);
      await checkStream(page.bodies[0].text, ai, allowed);
      // What waits is told by its stream, so that it is on the page once.
      assert.deepEqual(await world.stored(page.id), onPage(page).slice(0, 1));
    });

    test("runs what was allowed, and goes on in the same message", async () => {
      const page = await asked();
      const [user, answer] = onPage(page);
      await page.answer(true);

      assert.deepEqual(onPage(page), [user, answer]);
      const [call] = page.calls();
      assert.equal(call.state, "output-available");
      assert.equal(call.output.cityName, "Paris");
      assert.match(page.text(), /^The tool answered: /);
      assert.equal(page.bodies.length, 2);
      assert.ok(page.bodies[1].sent.messages.length === 2 && !page.bodies[1].sent.message, "the page sent all messages");
      assert.deepEqual(chunks(page.bodies[1].text)[0], { type: "start", messageId: answer[1] });
      assert.deepEqual(typesOf(page.bodies[1]), ["start", "tool-output-available", ...says]);
      await check(page);
      const [, message] = await world.guest.messages(page.id);
      assert.deepEqual(message.parts.map((part) => part.type), ["step-start", "tool-getWeather", "step-start", "text"]);
      assert.equal(message.parts[1].approval.approved, true);
      assert.equal(message.parts[3].text, page.text());
    });

    test("goes on in the conversation after what was allowed", async () => {
      const page = await asked();
      await page.answer(true);
      await page.send("[[mock: tokens=4]] Thanks.");

      assert.equal(page.text(), "tok0 tok1 tok2 tok3");
      assert.equal(page.chat.messages.length, 4);
      await check(page);
    });

    test("tells the model of a denial when the page sends it at once", async () => {
      const before = world.weather.asked();
      const page = world.open(ai, { continues: ai.lastAssistantMessageIsCompleteWithApprovalResponses });
      await page.send(ASK);
      await page.answer(false, "Not today.");

      assert.equal(world.weather.asked(), before, "nothing ran");
      assert.equal(page.chat.messages.length, 2);
      const [call] = page.calls();
      assert.equal(call.state, "output-denied");
      assert.match(page.text(), /^The tool answered: .*Not today\./);
      assert.deepEqual(typesOf(page.bodies[1]), ["start", "tool-output-denied", ...says]);
      await check(page);
      const [, message] = await world.guest.messages(page.id);
      assert.equal(message.parts[1].state, "output-denied");
      assert.deepEqual([message.parts[1].approval.approved, message.parts[1].approval.reason], [false, "Not today."]);
    });

    test("takes the denial with the next message, as the template's page sends it", async () => {
      const before = world.weather.asked();
      const page = await asked();
      await page.answer(false, "Not today.");
      assert.equal(page.bodies.length, 1, "the template sends nothing after a denial");
      await page.send("[[mock: tokens=4]] Never mind.");

      assert.equal(world.weather.asked(), before, "nothing ran");
      assert.ok(page.bodies[1].sent.messages.length === 3 && !page.bodies[1].sent.message, "the page sent all messages");
      assert.equal(page.text(), "tok0 tok1 tok2 tok3");
      await check(page);
      const messages = await world.guest.messages(page.id);
      assert.deepEqual(messages.map((message) => message.role), ["user", "assistant", "user", "assistant"]);
      assert.equal(messages[1].parts[1].state, "output-denied");
      assert.equal(messages[1].parts[1].approval.reason, "Not today.");

      // The page goes on sending all messages, of which only the last is new.
      await page.send("[[mock: tokens=5]] And now?");
      assert.equal(page.text(), "tok0 tok1 tok2 tok3 tok4");
      assert.equal((await world.stored(page.id)).length, 6);
      await check(page);
    });

    test("lets a new message end the wait", async () => {
      const page = await asked();
      await page.send("[[mock: tokens=4]] Something else.");

      assert.equal(page.text(), "tok0 tok1 tok2 tok3");
      await check(page);
      const [, waited] = await world.guest.messages(page.id);
      assert.notEqual(waited.parts[1].state, "approval-requested", "nobody is asked any more");
    });

    test("still asks after the page was loaded anew", async () => {
      const page = await asked();
      const again = await reloaded(page);
      assert.deepEqual(again.calls(), page.calls());
      await again.answer(true);

      assert.equal(again.calls()[0].state, "output-available");
      assert.match(again.text(), /^The tool answered: /);
      assert.equal(again.chat.messages.length, 2);
      await check(again);
    });

    test("shows a page that was loaded after the consent the answer as it was, and whole when it has ended", async () => {
      const page = await asked(`${calling("getWeather", { city: "Paris" }, "pace_ms=60")} What is the weather?`);
      const before = onPage(page);
      const answering = page.answer(true);
      await page.shows(20);
      // The last message is the assistant's, so the template's page does not resume.
      const again = await reloaded(page);
      assert.equal(again.bodies.length, 0);
      assert.deepEqual(onPage(again), before);
      assert.deepEqual(again.calls().map((call) => call.state), ["approval-responded"]);
      const { headers } = world.guest;
      const replay = await (await fetch(`${world.skein.url}/api/chat/${page.id}/stream`, { headers })).text();
      await answering;

      assert.equal(page.chat.status, "ready");
      assert.equal(replay, page.bodies[1].text, "the stream that goes on can be read from its beginning");
      const later = await reloaded(page);
      assert.deepEqual(onPage(later), before);
      assert.equal(later.text(), page.text());
      await check(page);
    });

    test("asks once more in a later step", async () => {
      const page = await asked(`${calling("getWeather", { city: "Paris" }, "tool_rounds=2")} Twice, please.`);
      await page.answer(true);
      assert.deepEqual(page.calls().map((call) => call.state), ["output-available", "approval-requested"]);
      await page.answer(true);

      assert.deepEqual(page.calls().map((call) => call.state), ["output-available", "output-available"]);
      assert.match(page.text(), /^The tool answered: /);
      assert.equal(page.chat.messages.length, 2);
      await check(page);
    });

    test("still asks after the server was restarted", async () => {
      const page = await asked();
      await world.restart();
      const again = await reloaded(page);
      await again.answer(true);

      assert.equal(again.calls()[0].state, "output-available");
      assert.match(again.text(), /^The tool answered: /);
      await check(again);
    });
  });
}

// Tools that the server runs, as the npm package `ai` shows them.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { VERSIONS } from "../support/versions.mjs";
import { checkStream, chunks } from "../support/wire.mjs";
import { calling, onPage, startWorld } from "../support/world.mjs";

/** What is said to the page while a document is written, by its kind. */
const WRITTEN = { text: "data-textDelta", code: "data-codeDelta", sheet: "data-sheetDelta" };

const world = startWorld();

for (const name of VERSIONS) {
  const ai = await import(name);

  describe(name, () => {
    for (const [kind, delta] of Object.entries(WRITTEN)) {
      test(`writes a ${kind} that can be read when its end is told`, async () => {
        let reading;
        const page = world.open(ai, {
          onData: (part) => {
            const id = page.data.find((each) => each.type === "data-id")?.data;
            if (part.type === "data-finish") reading = world.guest.call("GET", `/api/document?id=${id}`);
          },
        });
        await page.send(`${calling("createDocument", { title: "Rivers of the north", kind })} Write, please.`);

        assert.equal(page.chat.error, undefined);
        const { status, body: versions } = await reading;
        assert.equal(status, 200);
        assert.equal(versions.length, 1);
        const pieces = page.data.filter((part) => part.type === delta).map((part) => part.data);
        assert.ok(pieces.length > 1, `it was written in ${pieces.length} pieces`);
        assert.equal(kind === "text" ? pieces.join("") : pieces.at(-1), versions[0].content);
        const about = page.data.filter((part) => part.type !== "data-chat-title" && part.type !== "data-usage");
        const order = about.map((part) => part.type).filter((type, index, all) => type !== all[index - 1]);
        assert.deepEqual(order, ["data-kind", "data-id", "data-title", "data-clear", delta, "data-finish"]);
        assert.deepEqual(about.slice(0, 4).map((part) => part.data), [kind, versions[0].id, "Rivers of the north", null]);

        const [call] = page.calls();
        assert.equal(call.state, "output-available");
        assert.deepEqual(call.input, { title: "Rivers of the north", kind });
        assert.deepEqual([call.output.id, call.output.kind, call.output.title], [versions[0].id, kind, "Rivers of the north"]);
        await check(page, ai);
        // The document's data are told between the call and its output, and nothing after its end.
        const types = chunks(page.bodies[0].text).map((chunk) => chunk.type);
        assert.ok(types.indexOf("tool-input-start") < types.indexOf("data-kind"));
        assert.ok(types.indexOf("data-finish") < types.indexOf("tool-output-available"));
      });
    }

    test("rewrites a document as its second version", async () => {
      const page = world.open(ai);
      await page.send(`${calling("createDocument", { title: "Rivers", kind: "text" })} Write, please.`);
      const id = page.calls()[0].output.id;
      page.data.length = 0;
      await page.send(`${calling("updateDocument", { id, description: "Tell of lakes" })} Again, please.`);

      assert.equal(page.chat.error, undefined);
      const { body: versions } = await world.guest.call("GET", `/api/document?id=${id}`);
      assert.equal(versions.length, 2);
      const pieces = page.data.filter((part) => part.type === "data-textDelta").map((part) => part.data);
      assert.equal(pieces.join(""), versions[1].content);
      const types = page.data.map((part) => part.type).filter((type) => type !== "data-usage");
      assert.equal(types[0], "data-clear");
      assert.equal(types.at(-1), "data-finish");
      // It would open another document.
      assert.ok(!types.includes("data-id"));
      await check(page, ai, 1);
    });

    test("shows suggestions that are stored", async () => {
      const page = world.open(ai);
      await page.send(`${calling("createDocument", { title: "Rivers", kind: "text" })} Write, please.`);
      const documentId = page.calls()[0].output.id;
      await page.send(`${calling("requestSuggestions", { documentId })} What could be better?`);

      assert.equal(page.chat.error, undefined);
      const shown = page.data.filter((part) => part.type === "data-suggestion").map((part) => part.data);
      const { body: stored } = await world.guest.call("GET", `/api/suggestions?documentId=${documentId}`);
      assert.ok(shown.length > 0);
      const key = (suggestion) => [suggestion.id, suggestion.originalText, suggestion.suggestedText];
      assert.deepEqual(shown.map(key), stored.map(key));
      await check(page, ai, 1);
    });

    test("shows the weather, and what the model said of it", async () => {
      const page = world.open(ai);
      await page.send(`${calling("getWeather", { city: "Paris" })} What is the weather?`);

      assert.equal(page.chat.error, undefined);
      const [call] = page.calls();
      assert.equal(call.type, "tool-getWeather");
      assert.equal(call.state, "output-available");
      assert.equal(call.output.cityName, "Paris");
      assert.deepEqual(call.output.hourly.temperature_2m, [7.5]);
      assert.match(page.text(), /^The tool answered: /);
      const steps = page.chat.lastMessage.parts.map((part) => part.type);
      assert.deepEqual(steps, ["step-start", "tool-getWeather", "step-start", "text"]);
      await check(page, ai);
      const types = chunks(page.bodies[0].text).map((chunk) => chunk.type);
      const told = types.filter((type) => !type.startsWith("data-"));
      const order = told.filter((type, index) => type !== told[index - 1]);
      const asks = ["start-step", "tool-input-start", "tool-input-delta", "tool-input-available", "tool-output-available"];
      const says = ["start-step", "text-start", "text-delta", "text-end", "finish-step", "finish"];
      assert.deepEqual(order, ["start", ...asks, "finish-step", ...says]);
    });

    test("shows a tool's failure as one, and lets the model go on", async () => {
      const page = world.open(ai);
      await page.send(`${calling("getWeather", { city: "Atlantis" })} What is the weather?`);

      assert.equal(page.chat.status, "ready");
      const [call] = page.calls();
      assert.equal(call.state, "output-error");
      assert.equal(call.errorText, "No city is known by that name.");
      assert.match(page.text(), /No city is known by that name/);
      await check(page, ai);
    });

    test("shows arguments that are none as a failure", async () => {
      const page = world.open(ai);
      await page.send('[[mock: tool=getWeather args="{\\"city\\": "]] What is the weather?');

      assert.equal(page.chat.status, "ready");
      const [call] = page.calls();
      assert.equal(call.state, "output-error");
      assert.ok(call.errorText.length > 0);
      assert.ok(page.text().length > 0, "the model goes on");
      await check(page, ai);
    });

    test("goes on for several steps, and no more than five", async () => {
      const page = world.open(ai);
      await page.send(`${calling("getWeather", { city: "Paris" }, "tool_rounds=3")} Three times.`);
      assert.equal(page.calls().length, 3);
      assert.match(page.text(), /^The tool answered: /);
      await check(page, ai);

      const endless = world.open(ai);
      await endless.send(`${calling("getWeather", { city: "Paris" }, "tool_rounds=50")} Fifty times.`);
      assert.equal(endless.chat.status, "ready");
      assert.equal(endless.chat.lastMessage.parts.filter((part) => part.type === "step-start").length, 5);
      assert.ok(endless.calls().every((call) => call.state.startsWith("output-")), "no call is left running");
      await check(endless, ai);
    });

    test("gives a title to the list of chats", async () => {
      const page = world.open(ai);
      await page.send("[[mock: tokens=30 pace_ms=5]] Tell me of rivers in the north");

      const told = page.data.filter((part) => part.type === "data-chat-title");
      assert.equal(told.length, 1);
      const { body } = await world.guest.call("GET", "/api/history?limit=100");
      assert.equal(body.chats.find((chat) => chat.id === page.id).title, told[0].data);
      assert.notEqual(told[0].data, "New chat");
      await page.send("[[mock: tokens=3]] And in the south?");
      assert.equal(page.data.filter((part) => part.type === "data-chat-title").length, 1, "it is told once");
    });
  });
}

/** The stream of the page's request `index` is well-formed, and what the page shows is what is stored. */
async function check(page, ai, index = 0) {
  await checkStream(page.bodies[index].text, ai);
  assert.deepEqual(await world.stored(page.id), onPage(page));
  const parts = (await world.guest.messages(page.id)).at(-1).parts;
  const bare = (part) => [part.type, part.state, part.text ?? part.output ?? part.errorText];
  assert.deepEqual(parts.map(bare), page.chat.lastMessage.parts.map(bare));
}

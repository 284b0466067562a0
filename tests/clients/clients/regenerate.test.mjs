// Sending a message again, edited or not, as the template's pages do it: the same id, with or without the trailing delete.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { textOf, tokens } from "../support/chat.mjs";
import { VERSIONS } from "../support/versions.mjs";
import { checkStream, chunks } from "../support/wire.mjs";
import { onPage, startWorld } from "../support/world.mjs";

const world = startWorld();

for (const name of VERSIONS) {
  const ai = await import(name);

  describe(name, () => {
    const check = async (page, answer) => {
      assert.equal(page.chat.error, undefined);
      assert.equal(page.chat.status, "ready");
      assert.equal(page.text(), answer.text);
      await checkStream(page.bodies.at(-1).text, ai);
      assert.deepEqual(await world.stored(page.id), onPage(page));
      assert.equal(textOf((await world.guest.messages(page.id)).at(-1)), answer.text);
    };

    for (const cut of [true, false]) {
      test(`answers an edited message anew ${cut ? "after" : "without"} the trailing delete`, async () => {
        const page = world.open(ai);
        await page.send(tokens(3, 0).prompt);
        await page.send(tokens(4, 0).prompt);
        const [first, , second, replaced] = page.chat.messages;
        await page.resend(second, { text: tokens(6, 0).prompt, cut });

        assert.equal(page.bodies.at(-1).sent.message.id, second.id, "the same id was sent");
        assert.equal(page.chat.messages.length, 4);
        assert.notEqual(page.chat.messages[3].id, replaced.id);
        await check(page, tokens(6, 0));
        assert.equal((await world.guest.messages(page.id))[2].parts[0].text, tokens(6, 0).prompt);

        await page.resend(first, { text: tokens(2, 0).prompt, cut });
        assert.equal(page.chat.messages.length, 2);
        await check(page, tokens(2, 0));
      });
    }

    test("answers the last message once more", async () => {
      const page = world.open(ai);
      await page.send(tokens(4, 0).prompt);
      const [asked, first] = onPage(page);
      await page.chat.regenerate();

      const [again, second] = onPage(page);
      assert.deepEqual(again, asked);
      assert.notDeepEqual(second, first);
      await check(page, tokens(4, 0));
    });

    for (const cut of [true, false]) {
      test(`stops, and answers an edited message anew ${cut ? "after" : "without"} the trailing delete`, async () => {
        const page = world.open(ai);
        const sending = page.send(tokens(2000, 10).prompt);
        await page.shows(50);
        const { hung_up: before } = await world.mock.stats();
        // The page only hangs up: the answer goes on until the message is sent again.
        await page.chat.stop();
        await sending;
        await page.resend(page.chat.messages[0], { text: tokens(5, 0).prompt, cut });

        await world.mock.hungUp(before + 1);
        assert.equal(page.chat.messages.length, 2);
        await check(page, tokens(5, 0));
      });
    }

    test("ends the stream of another page whose message is answered anew", async () => {
      const page = world.open(ai);
      const sending = page.send(tokens(2000, 10).prompt);
      await page.shows(50);
      const other = world.open(ai, { id: page.id, messages: await world.guest.messages(page.id) });
      await other.resend(other.chat.messages[0], { text: tokens(5, 0).prompt, cut: false });
      await sending;

      assert.deepEqual(chunks(page.bodies[0].text).at(-1), { type: "abort" });
      await check(other, tokens(5, 0));
    });
  });
}

// Images that are uploaded and sent along, as the npm package `ai` sends them.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { VERSIONS } from "../support/versions.mjs";
import { checkStream } from "../support/wire.mjs";
import { onPage, startWorld } from "../support/world.mjs";

/** One black pixel. */
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=",
  "base64",
);

const world = startWorld();

for (const name of VERSIONS) {
  const ai = await import(name);

  describe(name, () => {
    test("sends an uploaded image, and shows it again", async () => {
      const form = new FormData();
      form.append("file", new Blob([PNG], { type: "image/png" }), "a small picture.png");
      const answer = await fetch(`${world.skein.url}/api/files/upload`, {
        method: "POST",
        headers: world.guest.headers,
        body: form,
      });
      const upload = await answer.json();
      assert.equal(answer.status, 200, JSON.stringify(upload));
      assert.equal(upload.contentType, "image/png");
      const image = await fetch(upload.url);
      assert.equal(image.status, 200, "it is read without a token");
      assert.deepEqual(Buffer.from(await image.arrayBuffer()), PNG);

      const page = world.open(ai);
      const file = { type: "file", mediaType: upload.contentType, name: upload.pathname, url: upload.url };
      await page.chat.sendMessage({ role: "user", parts: [file, { type: "text", text: "[[mock: tokens=3]] What is it?" }] });

      assert.equal(page.chat.error, undefined);
      assert.equal(page.text(), "tok0 tok1 tok2");
      await checkStream(page.bodies[0].text, ai);
      assert.deepEqual(await world.stored(page.id), onPage(page));
      const [message] = await world.guest.messages(page.id);
      assert.deepEqual(message.parts[0], file);
      const again = world.open(ai, { id: page.id, messages: await world.guest.messages(page.id) });
      await again.send("[[mock: tokens=2]] And now?");
      assert.equal(again.text(), "tok0 tok1");
    });

    test("is told what is wrong with a file of another kind", async () => {
      const page = world.open(ai);
      const file = { type: "file", mediaType: "image/svg+xml", name: "x.svg", url: "https://example.com/x.svg" };
      await page.chat.sendMessage({ role: "user", parts: [file, { type: "text", text: "What is it?" }] });

      assert.equal(page.chat.status, "error");
      assert.equal(page.bodies[0].status, 400);
      assert.equal(JSON.parse(page.bodies[0].text).code, "bad_request:api");
      assert.deepEqual(await world.stored(page.id), []);
    });
  });
}

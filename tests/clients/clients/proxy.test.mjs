// A stream through a proxy that compresses what it may, with the middleware that Next.js has built in.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { after, before, describe, test } from "node:test";

import compression from "compression";

import { tokens } from "../support/chat.mjs";
import { VERSIONS } from "../support/versions.mjs";
import { checkStream } from "../support/wire.mjs";
import { startWorld } from "../support/world.mjs";

const world = startWorld();
const compress = compression();
let proxy;
let url;

before(async () => {
  proxy = createServer((asked, response) =>
    compress(asked, response, () => {
      const { method, headers } = asked;
      const upstream = request(world.skein.url + asked.url, { method, headers }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      asked.pipe(upstream);
    }),
  );
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  url = `http://127.0.0.1:${proxy.address().port}`;
});

after(async () => {
  proxy.close();
  proxy.closeAllConnections();
  await once(proxy, "close");
});

for (const name of VERSIONS) {
  const ai = await import(name);

  describe(name, () => {
    test("shows the first words through a compressing proxy before the last are made", async () => {
      const answer = tokens(250, 10);
      const page = world.open(ai, { url });
      const { completed } = await world.mock.stats();
      const sending = page.send(answer.prompt);
      await page.shows(4);
      // The title was made beside the answer, or is being made.
      const now = await world.mock.stats();
      assert.ok(now.open_streams >= 1 && now.completed <= completed + 1, JSON.stringify(now));
      assert.ok(page.text().length < answer.text.length);
      await sending;

      assert.equal(page.text(), answer.text);
      assert.equal(page.bodies[0].headers.get("content-encoding"), null);
      await checkStream(page.bodies[0].text, ai);
      const list = await fetch(`${url}/api/history`, { headers: { ...world.guest.headers, "accept-encoding": "gzip" } });
      assert.match(list.headers.get("vary"), /accept-encoding/i, "the proxy compresses what it may");
    });
  });
}

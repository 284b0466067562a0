// What happens to an answer when the connection, the page or the server does not last as long as it does.

import assert from "node:assert/strict";
import { describe } from "node:test";

import { openPage } from "../support/browser.mjs";
import { textOf, tokens } from "../support/chat.mjs";
import { answers, ask, asReader, grewTo, openChat, record, recorded, rests, send, shows, startConsole } from "../support/console.mjs";
import { startProxy } from "../support/proxy.mjs";
import { startSkein } from "../support/servers.mjs";

describe("an answer in the console outlives", () => {
  const world = startConsole();
  const { check } = world;
  const reconnecting = (page) => page.getByTestId("status").getByText(/reconnecting/i);
  const behindProxy = async () => {
    const proxy = await startProxy(world.skein.url);
    return { url: proxy.url, proxy, stop: proxy.stop };
  };
  const storedAnswers = async (reader, page) => (await reader.messages(openChat(page))).map(textOf).filter((text) => text !== "");

  check(
    "a lost connection, without a doubled or a missing word",
    async ({ page, proxy }) => {
      const answer = tokens(200, 20);
      const joins = [];
      page.on("request", (request) => request.url().endsWith("/stream") && joins.push(request.headers()["last-event-id"]));
      await record(page);
      await send(page, answer.prompt);
      await shows(page, 20);
      proxy.fail();
      await reconnecting(page).waitFor();
      await world.browser.picture(page, "reconnecting");
      proxy.restore();
      await shows(page, 199);
      await rests(page);

      grewTo(await recorded(page), answer.text);
      assert.ok(joins.length > 0 && joins.every((after) => Number(after) > 20), `it asked for what follows ${joins}`);
      assert.equal(await page.getByTestId("status").innerText(), "");
      assert.equal(await page.getByTestId("error").count(), 0);
    },
    { lossy: true, prepare: behindProxy },
  );

  check(
    "a lost connection during which another answer takes its place",
    async ({ page, proxy }) => {
      const reader = await asReader(page, world.skein);
      await send(page, tokens(2000, 10).prompt);
      await shows(page, 60);
      proxy.fail();
      await reconnecting(page).waitFor();
      // The other answer is being written when the page comes back, with a cursor that means nothing in it.
      const other = Array.from({ length: 150 }, (_, index) => `word${index}`).join(" ");
      const saying = reader.say(openChat(page), `[[mock: text="${other}" pace_ms=20]]`);
      await record(page);
      proxy.restore();
      await page.getByTestId("answer-text").nth(1).getByText("word10").waitFor();
      assert.equal(await page.getByTestId("message-user").count(), 2, "its question stands before it");
      await page.getByTestId("answer-text").nth(1).getByText(other).waitFor();
      await saying;
      await rests(page);

      assert.deepEqual(await answers(page), await storedAnswers(reader, page));
      const grown = (await recorded(page)).filter((note) => note.text.startsWith("word"));
      grewTo(grown, other);
      assert.ok(grown.length > 30, `the page showed ${grown.length} states of the other answer`);
      assert.equal(await page.getByTestId("message-user").count(), 2);
    },
    { lossy: true, prepare: behindProxy },
  );

  check("a reload", async ({ page }) => {
    const answer = tokens(200, 15);
    await send(page, answer.prompt);
    await shows(page, 20);
    await page.reload();
    await shows(page, 20);
    assert.ok(await page.getByTestId("stop").isVisible(), "the answer goes on");
    await shows(page, 199);
    await rests(page);

    assert.deepEqual(await answers(page), [answer.text]);
    assert.equal(await page.getByTestId("message-assistant").count(), 1);
  });

  check("the tab that asked for it", async ({ page, context }) => {
    const answer = tokens(200, 15);
    await send(page, answer.prompt);
    await shows(page, 20);
    const url = page.url();
    await page.close();
    const again = await openPage(context, url);
    await shows(again, 199);
    await rests(again);

    assert.deepEqual(await answers(again), [answer.text]);
  });

  check("nothing more than a second tab needs to show it live", async ({ page, context }) => {
    await ask(page, tokens(3, 0).prompt);
    const second = await openPage(context, page.url());
    await second.getByTestId("answer-text").waitFor();
    const answer = tokens(150, 15);
    await record(second);
    await send(page, answer.prompt);
    await shows(second, 10);
    assert.ok(await second.getByTestId("stop").isVisible(), "it is still being written");
    await shows(second, 149);
    await rests(second);
    await rests(page);

    const both = [tokens(3, 0).text, answer.text];
    assert.deepEqual(await answers(second), both);
    assert.deepEqual(await answers(page), both);

    await send(page, tokens(2000, 10).prompt);
    await second.getByTestId("stop").click();
    await page.getByTestId("stopped-note").waitFor();
    await rests(page);
  });

  check("nothing more than another browser needs to show it live", async ({ page, context }) => {
    await ask(page, tokens(3, 0).prompt);
    const other = await world.browser.visit(page.url(), { storageState: await context.storageState() });
    try {
      await other.page.getByTestId("answer-text").waitFor();
      const answer = tokens(150, 15);
      await send(page, answer.prompt);
      await shows(other.page, 10);
      assert.ok(await other.page.getByTestId("stop").isVisible(), "it is still being written");
      await shows(other.page, 149);
      await rests(other.page);

      assert.deepEqual(await answers(other.page), [tokens(3, 0).text, answer.text]);
      assert.equal(await other.page.getByTestId("message-user").count(), 2);
      assert.deepEqual(other.faults, []);
    } finally {
      await other.context.close();
    }
  });

  check(
    "the server, as far as it was stored",
    async ({ page, server }) => {
      const answer = tokens(2000, 10);
      await record(page);
      await send(page, answer.prompt);
      await shows(page, 40);
      await server.now.kill();
      await reconnecting(page).waitFor();
      server.now = await startSkein({ mock: world.mock, dataDir: server.now.dataDir, port: server.now.port });
      await page.getByTestId("error").getByText(/server was restarted/).waitFor();
      await rests(page);

      const reader = await asReader(page, server.now);
      const [partial] = await storedAnswers(reader, page);
      assert.ok(answer.text.startsWith(partial) && partial.includes("tok20"), `«${partial}» is stored`);
      assert.deepEqual(await answers(page), [partial]);
      assert.ok((await recorded(page)).every((note) => answer.text.startsWith(note.text)));

      await page.reload();
      await page.getByTestId("error").getByText(/server was restarted/).waitFor();
      assert.deepEqual(await answers(page), [partial]);
      await ask(page, tokens(5, 0).prompt);
      assert.deepEqual(await answers(page), [partial, tokens(5, 0).text]);
    },
    {
      lossy: true,
      prepare: async () => {
        const server = { now: await startSkein({ mock: world.mock }) };
        return { url: server.now.url, server, stop: () => server.now.stop() };
      },
    },
  );
});

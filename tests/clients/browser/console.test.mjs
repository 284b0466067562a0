// The console in a real browser, against the real server.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";

import { openPage, startBrowser, violations } from "../support/browser.mjs";
import { tokens } from "../support/chat.mjs";
import { startMock, startSkein } from "../support/servers.mjs";

let mock;
let skein;
let browser;

before(async () => {
  mock = await startMock();
  skein = await startSkein({ mock });
  browser = await startBrowser();
});

after(async () => {
  await browser?.stop();
  await skein?.stop();
  await mock?.stop();
});

/** Sends a text as a person does. */
async function send(page, text) {
  await page.getByTestId("composer").fill(text);
  await page.getByTestId("send").click();
}

/** The tokens of mock-llm that the last answer on the page shows, in the order of the page. */
async function shown(page) {
  const answers = await page.getByTestId("message-assistant").all();
  return (await answers.at(-1)?.innerText())?.match(/tok\d+/g) ?? [];
}

/** Waits until an answer on the page shows token number `index`. */
async function shows(page, index) {
  await page.getByTestId("message-assistant").filter({ hasText: new RegExp(`tok${index}\\b`) }).waitFor();
}

/** Waits until no answer is being written. */
async function rests(page) {
  await page.getByTestId("stop").waitFor({ state: "hidden" });
}

describe("console", () => {
  let visitor;
  let page;

  beforeEach(async () => {
    visitor = await browser.visit(skein.url);
    page = visitor.page;
  });

  const check = (name, body) =>
    test(name, async () => {
      try {
        await body();
        assert.deepEqual(visitor.faults, []);
      } finally {
        await visitor.context.close();
      }
    });

  check("opens without an error and without a request to another host", async () => {
    await page.waitForLoadState("networkidle");
    assert.equal(await page.getByTestId("demo-banner").isVisible(), false, "a model is configured");
    await browser.picture(page, "empty");
  });

  check("shows an answer as it grows", async () => {
    const answer = tokens(150, 20);
    await send(page, answer.prompt);
    await shows(page, 3);
    const early = await shown(page);
    assert.ok(early.length < 150, "the whole answer came at once");
    await browser.picture(page, "streaming");
    await shows(page, 149);
    await rests(page);

    assert.deepEqual(await shown(page), answer.text.split(" "));
    assert.equal(await page.getByTestId("message-user").count(), 1);
    await page.getByTestId("conversation-item").first().waitFor();
    assert.match(await page.getByTestId("budget").innerText(), /\d/);
  });

  check("sends with the Enter key and stops with Escape", async () => {
    await page.getByTestId("composer").fill(tokens(2000, 10).prompt);
    await page.getByTestId("composer").press("Enter");
    await shows(page, 20);
    const { hung_up: before } = await mock.stats();
    await page.keyboard.press("Escape");
    await mock.hungUp(before + 1);
    await rests(page);

    assert.match(await page.getByTestId("messages").innerText(), /stopped/i);
    const kept = await shown(page);
    assert.ok(kept.length > 20 && kept.length < 2000);
    await page.reload();
    await shows(page, kept.length - 1);
    assert.deepEqual(await shown(page), kept, "what was shown is what was stored");
  });

  check("goes on where it was after a reload in mid-answer", async () => {
    const answer = tokens(200, 20);
    await send(page, answer.prompt);
    await shows(page, 20);
    await page.reload();
    await shows(page, 20);
    await shows(page, 199);
    await rests(page);

    assert.deepEqual(await shown(page), answer.text.split(" "));
    assert.equal(await page.getByTestId("message-assistant").count(), 1);
  });

  check("shows the same conversation live in a second tab", async () => {
    const answer = tokens(200, 20);
    await send(page, answer.prompt);
    await shows(page, 10);
    const second = await openPage(visitor.context, page.url());
    await shows(second, 199);
    await rests(second);
    await shows(page, 199);

    assert.deepEqual(await shown(second), answer.text.split(" "));
    assert.deepEqual(await shown(page), answer.text.split(" "));
  });

  check("says why an answer failed, and tries again", async () => {
    await send(page, `[[mock: status=401 times=1 key=${crypto.randomUUID()} tokens=5]] Please.`);
    await page.getByTestId("error").waitFor();
    assert.match(await page.getByTestId("error").innerText(), /\.$/m);
    await browser.picture(page, "error");
    await page.getByTestId("retry").click();
    await shows(page, 4);
    await rests(page);

    assert.deepEqual(await shown(page), tokens(5, 0).text.split(" "));
    assert.equal(await page.getByTestId("error").count(), 0);
    assert.equal(await page.getByTestId("message-user").count(), 1);
  });

  check("starts a new conversation and comes back to the old one", async () => {
    await send(page, tokens(5, 0).prompt);
    await shows(page, 4);
    await rests(page);
    await page.getByTestId("new-chat").click();
    await page.getByTestId("message-assistant").waitFor({ state: "detached" });
    await send(page, tokens(7, 0).prompt);
    await shows(page, 6);
    await rests(page);
    await page.getByTestId("conversation-item").nth(1).waitFor();
    await page.getByTestId("conversation-item").nth(1).click();
    await page.getByTestId("message-assistant").filter({ hasNotText: "tok6" }).waitFor();

    assert.deepEqual(await shown(page), tokens(5, 0).text.split(" "));
  });

  check("switches between light and dark, and remembers it", async () => {
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await background();
    await page.getByTestId("theme-toggle").click();
    const dark = await background();
    assert.notEqual(dark, light);
    await page.reload();
    await page.getByTestId("composer").waitFor();
    assert.equal(await background(), dark);
    await browser.picture(page, "dark");
  });

  check("is reachable by keyboard alone", async () => {
    await page.evaluate(() => document.activeElement?.blur());
    const seen = new Set();
    for (let press = 0; press < 40; press++) {
      await page.keyboard.press("Tab");
      const hook = () => document.activeElement?.closest("[data-testid]")?.getAttribute("data-testid");
      seen.add(await page.evaluate(hook));
    }
    for (const needed of ["composer", "new-chat", "theme-toggle"]) {
      assert.ok(seen.has(needed), `Tab never reaches ${needed}; it reaches ${[...seen].join(", ")}`);
    }
  });

  check("has no violation that axe-core knows, light, dark and in conversation", async () => {
    assert.deepEqual(await violations(page), []);
    await send(page, tokens(20, 0).prompt);
    await shows(page, 19);
    await rests(page);
    assert.deepEqual(await violations(page), []);
    await page.getByTestId("theme-toggle").click();
    assert.deepEqual(await violations(page), []);
  });

  check("fits a phone", async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await send(page, "[[mock: demo pace_ms=0]] Hello.");
    await page.getByTestId("message-assistant").first().waitFor();
    await rests(page);
    const overflow = () => document.documentElement.scrollWidth - document.documentElement.clientWidth;
    assert.equal(await page.evaluate(overflow), 0);
    assert.ok(await page.getByTestId("composer").isVisible());
    await browser.picture(page, "phone");
  });
});

describe("console without a model", () => {
  test("says that a demo answers, and which variable brings a real model", async () => {
    const demo = await startSkein();
    const { page, context, faults } = await browser.visit(demo.url);
    try {
      await page.getByTestId("demo-banner").waitFor();
      assert.match(await page.getByTestId("demo-banner").innerText(), /OPENAI_API_KEY|OPENAI_BASE_URL/);
      await send(page, "Hello there, what can you do?");
      await page.getByTestId("message-assistant").first().waitFor();
      await rests(page);
      // The picture in the README is taken by hand, so that the tests never change a file of the repository.
      const picture = process.env.SKEIN_CONSOLE_PNG;
      if (picture) await page.screenshot({ path: picture });
      assert.deepEqual(faults, []);
    } finally {
      await context.close();
      await demo.stop();
    }
  });
});

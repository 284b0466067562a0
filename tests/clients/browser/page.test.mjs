// The page around the answers: conversations, keys, numbers, themes, widths.

import assert from "node:assert/strict";
import { describe } from "node:test";

import { tokens } from "../support/chat.mjs";
import { answers, ask, asReader, openChat, rests, send, shows, startConsole } from "../support/console.mjs";
import { startSkein } from "../support/servers.mjs";

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

describe("the console", () => {
  const world = startConsole();
  const { check } = world;
  const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.className);
  const titles = (page) => page.getByTestId("conversation-item").allInnerTexts();

  /** Puts the focus before everything else on the page. */
  const fromTheTop = (page) =>
    page.evaluate(() => {
      document.body.tabIndex = -1;
      document.body.focus();
      document.body.removeAttribute("tabindex");
    });

  /** Three conversations, made elsewhere, and the page reading them. */
  const withThree = async (page) => {
    const reader = await asReader(page, world.skein);
    for (const name of ["Alpha", "Beta", "Gamma"]) await reader.say(crypto.randomUUID(), `[[mock: tokens=2 title.text=${name}]] ${name}`);
    await page.reload();
    await page.getByTestId("conversation-item").nth(2).waitFor();
  };

  check("opens without asking another host, and teaches", async ({ page }) => {
    await page.waitForLoadState("networkidle");
    assert.equal(await page.getByTestId("demo-banner").isVisible(), false, "a model is configured");
    await page.getByText("Answers come from mock.").waitFor();
    assert.equal(await page.locator(".idea").count(), 3);
    await page.locator(".idea").first().click();
    assert.notEqual(await page.getByTestId("composer").inputValue(), "");
    assert.equal(await focused(page), "composer");
    for (const link of await page.locator(".empty-links a").all()) {
      assert.equal((await page.request.get(new URL(await link.getAttribute("href"), page.url()).href)).status(), 200);
    }
  });

  check("has API documentation that works under its own policy", async ({ page }) => {
    await page.goto(`${world.skein.url}/docs/`);
    await page.getByText("/api/chat", { exact: true }).first().waitFor();
  });

  check(
    "says that a demo answers, and which variable brings a real model",
    async ({ page }) => {
      await page.getByTestId("demo-banner").waitFor();
      assert.match(await page.getByTestId("demo-banner").innerText(), /OPENAI_API_KEY/);
      await ask(page, "A list of ideas, please, and a little code.");
      const answer = page.getByTestId("answer-text");
      await answer.getByRole("listitem").first().waitFor();
      await answer.locator(".hljs-keyword").first().waitFor();
      await ask(page, "Write a document about the history of tea.");
      await page.getByTestId("document-body").getByText("The history of tea").waitFor();
      await page.getByTestId("version").getByText("Version 1 of 1").waitFor();
      // The pictures of the documentation are taken by hand, so that no test changes a file of the repository.
      const picture = process.env.SKEIN_CONSOLE_PNG;
      if (!picture) return;
      await page.screenshot({ path: picture });
      await page.getByTestId("theme-toggle").click();
      await page.screenshot({ path: picture.replace(/\.png$/, "-dark.png") });
    },
    {
      prepare: async () => {
        const demo = await startSkein();
        return { url: demo.url, stop: demo.stop };
      },
    },
  );

  check("counts tokens as the server does", async ({ page }) => {
    await ask(page, tokens(40, 0).prompt);
    const reader = await asReader(page, world.skein);
    const [, answer] = await reader.messages(openChat(page));
    const { inputTokens, outputTokens, totalTokens } = answer.metadata.usage;
    assert.ok(outputTokens >= 40 && totalTokens === inputTokens + outputTokens);
    const { window } = (await reader.call("GET", "/api/console/info")).body;

    const words = `${totalTokens} of ${window.toLocaleString("en")} tokens`;
    await page.getByTestId("budget").getByText(words).waitFor();
    const bar = page.getByRole("progressbar", { name: words });
    assert.deepEqual(await bar.evaluate(({ value, max }) => [value, max]), [totalTokens, window]);
    const pane = (name) => page.getByTestId("pane").locator("div", { hasText: new RegExp(`^${name}\\d`) });
    assert.deepEqual(await pane("Input tokens").locator("dd").allInnerTexts(), [inputTokens, inputTokens].map(String));
    assert.deepEqual(await pane("Output tokens").locator("dd").allInnerTexts(), [outputTokens, outputTokens].map(String));
    assert.match(await pane("Time to first token").locator("dd").innerText(), /^\d[\d.]* m?s$/);
    assert.match(await pane("Tokens per second").locator("dd").innerText(), /^\d/);
  });

  check("takes no message that is too long", async ({ page }) => {
    await page.getByTestId("composer").fill("x".repeat(2001));
    assert.equal(await page.getByTestId("counter").innerText(), "2,001 / 2,000");
    await page.getByTestId("composer").press("Enter");
    assert.equal(await page.getByTestId("send").isDisabled(), true);
    assert.equal(await page.getByTestId("message-user").count(), 0);
    assert.equal((await page.getByTestId("composer").inputValue()).length, 2001, "nothing is lost");
  });

  check("keeps a draft over a reload, and starts a line with Shift and Enter", async ({ page }) => {
    await page.getByTestId("composer").fill("one");
    await page.getByTestId("composer").press("Shift+Enter");
    await page.keyboard.type("two");
    await page.reload();
    assert.equal(await page.getByTestId("composer").inputValue(), "one\ntwo");
  });

  check("goes from one conversation to another, and back by the browser's buttons", async ({ page }) => {
    await ask(page, tokens(5, 0).prompt);
    await page.getByTestId("new-chat").click();
    await page.getByTestId("answer-text").waitFor({ state: "detached" });
    await ask(page, tokens(7, 0).prompt);
    await page.getByTestId("conversation-item").nth(1).getByRole("link").click();
    await page.getByTestId("answer-text").getByText(tokens(5, 0).text, { exact: true }).waitFor();
    await page.goBack();
    await page.getByTestId("answer-text").getByText(tokens(7, 0).text, { exact: true }).waitFor();
    await page.goForward();
    await page.getByTestId("answer-text").getByText(tokens(5, 0).text, { exact: true }).waitFor();
  });

  check("leaves an answer being written, and finds it again", async ({ page }) => {
    const answer = tokens(150, 15);
    await send(page, answer.prompt);
    await shows(page, 10);
    await page.getByTestId("new-chat").click();
    await page.getByTestId("answer-text").waitFor({ state: "detached" });
    await page.getByTestId("conversation-item").getByRole("link").click();
    await shows(page, 149);
    await rests(page);
    assert.deepEqual(await answers(page), [answer.text]);
  });

  check("deletes a conversation, in every tab", async ({ page, context }) => {
    await withThree(page);
    await page.getByRole("link", { name: "Beta" }).click();
    await page.getByTestId("answer-text").waitFor();
    const second = await context.newPage();
    await second.goto(page.url());
    await second.getByTestId("answer-text").waitFor();

    await page.getByRole("button", { name: "Delete “Beta”" }).click();
    await page.getByRole("button", { name: "Keep" }).click();
    assert.equal((await titles(page)).length, 3);
    await page.getByRole("button", { name: "Delete “Beta”" }).click();
    await page.getByTestId("confirm-delete").click();
    for (const tab of [page, second]) {
      await tab.getByRole("link", { name: "Beta" }).waitFor({ state: "detached" });
      await tab.getByRole("heading", { level: 1, name: "New chat" }).waitFor();
      assert.equal(openChat(tab), null);
      assert.equal(await tab.getByTestId("message-assistant").count(), 0);
    }
    const { body } = await (await asReader(page, world.skein)).call("GET", "/api/history");
    assert.deepEqual(body.chats.map((chat) => chat.title), ["Gamma", "Alpha"]);
  });

  check("is walked by keyboard, in the order of the page, with the focus in view", async ({ page }) => {
    await withThree(page);
    await page.getByRole("link", { name: "Beta" }).click();
    await page.getByTestId("answer-text").waitFor();
    await fromTheTop(page);
    const stops = [];
    for (let press = 0; press < 30; press++) {
      await page.keyboard.press("Tab");
      const stop = await page.evaluate(() => {
        const at = document.activeElement;
        if (at === document.body) return null;
        const { outlineStyle, boxShadow } = getComputedStyle(at);
        // The field's frame shows its focus.
        const shown = outlineStyle !== "none" || boxShadow !== "none" || at.id === "composer";
        return { name: at.id || at.getAttribute("aria-label") || at.textContent.trim(), shown };
      });
      if (stop === null || stop.name === stops[0]?.name) break;
      stops.push(stop);
    }
    const sidebar = ["Skip to the message field", "new-chat", "search", "history-button", "Beta", "Delete “Beta”", "user", "API docs", "theme-toggle"];
    const head = ["Beta", "model", "chat-button", "pane-toggle"];
    const message = ["messages", "Edit", "Copy", "Good answer", "Bad answer", "Regenerate"];
    const order = [...sidebar, ...head, ...message, "attach", "composer", "pane-close", "pane-details"];
    assert.deepEqual(stops.map((stop) => stop.name), order);
    assert.deepEqual(stops.filter((stop) => !stop.shown), []);
  });

  check("has a way past the conversations, and arrows among them", async ({ page }) => {
    await withThree(page);
    await fromTheTop(page);
    await page.keyboard.press("Tab");
    assert.equal(await focused(page), "skip-link");
    assert.ok(await page.locator(".skip-link").evaluate((link) => link.getBoundingClientRect().top >= 0), "it is in view");
    await page.keyboard.press("Enter");
    assert.equal(await focused(page), "composer");

    const row = () => page.evaluate(() => document.activeElement.textContent);
    await page.getByRole("link", { name: "Gamma" }).focus();
    for (const [key, name] of [["ArrowDown", "Beta"], ["End", "Alpha"], ["ArrowDown", "Alpha"], ["ArrowUp", "Beta"], ["Home", "Gamma"]]) {
      await page.keyboard.press(key);
      assert.equal(await row(), name, key);
    }
    assert.equal(await page.locator(".history-link[tabindex='0']").count(), 1);
    await page.keyboard.press("End");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Alpha" }).waitFor();

    await page.getByRole("link", { name: "Gamma" }).focus();
    await page.keyboard.press("Delete");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    assert.equal((await titles(page)).length, 3);
    await page.keyboard.press("Control+k");
    await page.getByRole("heading", { level: 1, name: "New chat" }).waitFor();
    assert.equal(await focused(page), "composer");
  });

  check("switches between light and dark, and remembers it", async ({ page, context }) => {
    const background = (of) => of.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await background(page);
    await page.emulateMedia({ colorScheme: "dark" });
    const dark = await background(page);
    assert.notEqual(dark, light, "the system's choice holds at first");
    await page.emulateMedia({ colorScheme: "light" });
    await page.getByTestId("theme-toggle").click();
    assert.equal(await background(page), dark);
    await page.reload();
    assert.equal(await background(page), dark);
    const second = await context.newPage();
    await second.goto(world.skein.url);
    assert.equal(await background(second), dark);
  });

  check(
    "fits a phone, its panes in drawers",
    async ({ page }) => {
      await ask(page, "[[mock: demo pace_ms=0]] Show a table and some code, please, all of it on a small screen.");
      const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      const list = page.getByTestId("conversation-list");
      assert.equal(await overflow(), 0);
      assert.equal(await list.isVisible(), false);
      assert.ok(await page.getByTestId("composer").isVisible());

      await page.getByRole("button", { name: "Conversations" }).tap();
      await list.waitFor();
      assert.equal(await overflow(), 0);
      assert.equal(await page.locator("#main").evaluate((main) => main.inert), true);
      await page.keyboard.press("Escape");
      await list.waitFor({ state: "hidden" });
      assert.equal(await focused(page), "history-toggle");

      await page.getByRole("button", { name: "Conversations" }).tap();
      await page.getByTestId("conversation-item").getByRole("link").tap();
      await list.waitFor({ state: "hidden" });
      await page.getByRole("button", { name: "Run details" }).tap();
      await page.getByTestId("pane").getByText("Output tokens").first().waitFor();
      await page.getByRole("button", { name: "Close the run details" }).tap();
      await page.getByTestId("pane").waitFor({ state: "hidden" });
    },
    PHONE,
  );
});

// Finding, renaming and deleting conversations.

import assert from "node:assert/strict";
import { describe } from "node:test";

import { openPage } from "../support/browser.mjs";
import { ask, asReader, openChat, startConsole } from "../support/console.mjs";

describe("the reader's conversations", () => {
  const world = startConsole();
  const { check } = world;
  const hits = (page) => page.getByTestId("search-hit");
  const items = (page) => page.getByTestId("conversation-item");
  const heading = (page, name) => page.getByRole("heading", { level: 1, name, exact: true });
  const saying = (title, text) => `[[mock: text=${JSON.stringify(text)} title.text=${title} pace_ms=0]] Tell me.`;

  check("are searched while one types, and a hit leads to its message", async ({ page }) => {
    const reader = await asReader(page, world.skein);
    const long = crypto.randomUUID();
    await reader.say(long, saying("Kettle", "A zanzibar kettle & <b>more</b>."));
    for (let more = 0; more < 4; more++) await reader.say(long, saying("Kettle", "long ".repeat(300)));
    await reader.say(crypto.randomUUID(), saying("Cups", "Nothing of that."));
    await reader.indexed("zanzibar", 2);
    await page.reload();

    const asked = [];
    page.on("request", (request) => request.url().includes("/api/search") && asked.push(request.url()));
    await page.getByTestId("search").pressSequentially("zanzibar", { delay: 15 });
    await hits(page).first().waitFor();
    await page.getByTestId("search-words").getByText("2 messages found").waitFor();
    assert.ok(asked.length < 4, `${asked.length} requests for eight letters`);
    assert.equal(await items(page).first().isVisible(), false, "what was found stands in place of the list");
    const [answer] = (await hits(page).allInnerTexts()).filter((text) => !text.includes("You:"));
    assert.match(answer, /^Kettle\nA zanzibar kettle & <b>more<\/b>\.$/);

    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowUp");
    assert.equal(await page.evaluate(() => document.activeElement.id), "search");
    await hits(page).filter({ hasNotText: "You:" }).click();
    await heading(page, "Kettle").waitFor();
    assert.equal(openChat(page), long);
    const found = page.locator(".message.found");
    await found.waitFor();
    assert.match(await found.innerText(), /zanzibar/);
    const [top, bottom] = await found.evaluate((one) => [one.getBoundingClientRect().top, one.getBoundingClientRect().bottom]);
    assert.ok(top > 0 && bottom < 800, "it is in view");

    await page.getByTestId("search").fill("nowhere");
    await page.getByTestId("search-words").getByText("Nothing was found.").waitFor();
    await page.getByTestId("search").press("Escape");
    await items(page).first().waitFor();
    assert.equal(await page.getByTestId("search").inputValue(), "");
  });

  check("are renamed where the title stands, in every tab", async ({ page, context }) => {
    await ask(page, saying("Kettle", "One."));
    await heading(page, "Kettle").waitFor();
    const second = await openPage(context, page.url());
    await heading(second, "Kettle").waitFor();

    await page.getByTestId("rename").click();
    await page.getByTestId("title-input").fill("Not this");
    await page.keyboard.press("Escape");
    await heading(page, "Kettle").waitFor();
    await page.keyboard.press("Enter");
    await page.getByTestId("title-input").waitFor();
    await page.keyboard.type("Tea for two");
    await page.keyboard.press("Enter");
    for (const tab of [page, second]) {
      await heading(tab, "Tea for two").waitFor();
      await items(tab).getByText("Tea for two").waitFor();
    }
    assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "rename");
    await page.reload();
    await heading(page, "Tea for two").waitFor();

    await page.getByTestId("chat-menu").click();
    await page.keyboard.press("Enter");
    await page.getByTestId("title-input").fill("  ");
    await page.keyboard.press("Enter");
    await heading(page, "Tea for two").waitFor();
  });

  check("are deleted all at once, after a question, in every tab", async ({ page, context }) => {
    await ask(page, saying("One", "1"));
    await page.getByTestId("new-chat").click();
    await page.getByTestId("answer-text").waitFor({ state: "detached" });
    await ask(page, saying("Two", "2"));
    const second = await openPage(context, page.url());
    await items(second).nth(1).waitFor();

    const open = async () => {
      await page.getByRole("button", { name: "More about the conversations" }).click();
      await page.getByRole("menuitem", { name: "Delete all conversations…" }).click();
    };
    await open();
    await page.getByRole("button", { name: "Keep" }).click();
    assert.equal(await items(page).count(), 2);
    await open();
    await page.getByTestId("confirm-delete-all").click();
    for (const tab of [page, second]) {
      await items(tab).first().waitFor({ state: "detached" });
      await heading(tab, "New chat").waitFor();
      assert.equal(openChat(tab), null);
    }
    const { body } = await (await asReader(page, world.skein)).call("GET", "/api/history");
    assert.deepEqual(body.chats, []);
    assert.equal(await page.getByRole("button", { name: "More about the conversations" }).isVisible(), false);
  });

  check("have a menu that keys and clicks elsewhere close", async ({ page }) => {
    await ask(page, saying("One", "1"));
    const menu = page.getByRole("menu", { name: "This conversation" });
    await page.getByTestId("chat-menu").focus();
    await page.keyboard.press("Enter");
    await menu.waitFor();
    const focused = () => page.evaluate(() => document.activeElement.textContent.trim());
    assert.equal(await focused(), "Rename");
    await page.keyboard.press("ArrowUp");
    assert.equal(await focused(), "Delete…");
    await page.keyboard.press("ArrowDown");
    assert.equal(await focused(), "Rename");
    await page.keyboard.press("Escape");
    await menu.waitFor({ state: "hidden" });
    assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "chat-menu");
    await page.getByTestId("chat-menu").click();
    await page.getByTestId("messages").click();
    await menu.waitFor({ state: "hidden" });
  });
});

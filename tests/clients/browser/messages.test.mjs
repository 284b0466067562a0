// What the reader does with messages that are there: votes, changes them, has them answered anew, by which model.

import assert from "node:assert/strict";
import { describe } from "node:test";

import { tokens } from "../support/chat.mjs";
import { answers, ask, asReader, openChat, rests, send, shows, startConsole } from "../support/console.mjs";

describe("a message in the console", () => {
  const world = startConsole({ env: () => ({ SKEIN_MODEL_ALIASES: JSON.stringify({ "mock-echo": { name: "The echo" } }) }) });
  const { check } = world;
  const pressed = (page, which) => page.getByTestId(`vote-${which}`).getAttribute("aria-pressed");

  check("is voted on, and the vote stays", async ({ page }) => {
    await ask(page, tokens(4, 0).prompt);
    const reader = await asReader(page, world.skein);
    const votes = async () => (await reader.call("GET", `/api/vote?chatId=${openChat(page)}`)).body.map((vote) => vote.isUpvoted);
    const sent = page.waitForResponse((response) => response.url().endsWith("/api/vote"));
    await page.getByTestId("vote-up").click();
    await sent;
    assert.deepEqual([await pressed(page, "up"), await pressed(page, "down")], ["true", "false"]);
    assert.deepEqual(await votes(), [true]);
    await page.reload();
    await page.locator("[data-testid='vote-up'][aria-pressed='true']").waitFor();
    await page.getByTestId("vote-down").focus();
    const again = page.waitForResponse((response) => response.url().endsWith("/api/vote") && response.request().method() === "PATCH");
    await page.keyboard.press("Enter");
    await again;
    assert.deepEqual([await pressed(page, "up"), await pressed(page, "down")], ["false", "true"]);
    assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "vote-down", "the focus stays");
    assert.deepEqual(await votes(), [false]);
  });

  check(
    "shows no vote that the server did not take",
    async ({ page }) => {
      await ask(page, tokens(4, 0).prompt);
      await page.route("**/api/vote", (route) => route.abort());
      await page.getByTestId("vote-up").click();
      await page.getByTestId("status").getByText("Your vote was not taken").waitFor();
      assert.equal(await pressed(page, "up"), "false");
    },
    { lossy: true },
  );

  check("is changed and sent anew, in place of what came after", async ({ page }) => {
    await ask(page, tokens(4, 0).prompt);
    await ask(page, tokens(5, 0).prompt);
    await page.getByTestId("message-user").first().hover();
    await page.getByTestId("edit").first().click();
    await page.getByTestId("edit-text").fill("never mind");
    await page.keyboard.press("Escape");
    assert.equal(await page.getByTestId("message-user").count(), 2);

    await page.getByTestId("edit").first().focus();
    await page.keyboard.press("Enter");
    assert.equal(await page.getByTestId("edit-text").inputValue(), tokens(4, 0).prompt);
    await page.getByTestId("edit-text").fill(tokens(6, 0).prompt);
    await page.keyboard.press("Enter");
    await shows(page, 5);
    await rests(page);
    assert.deepEqual(await answers(page), [tokens(6, 0).text]);
    const stored = await (await asReader(page, world.skein)).messages(openChat(page));
    assert.deepEqual(stored.map((message) => message.parts.find((part) => part.text).text), [tokens(6, 0).prompt, tokens(6, 0).text]);
  });

  check("is answered anew", async ({ page }) => {
    await ask(page, tokens(4, 0).prompt);
    const before = await page.getByTestId("message-assistant").getAttribute("data-id");
    await page.getByTestId("retry").getByText("Regenerate").waitFor();
    await page.getByTestId("retry").click();
    await page.locator(`[data-id="${before}"]`).waitFor({ state: "detached" });
    await shows(page, 3);
    await rests(page);
    assert.deepEqual(await answers(page), [tokens(4, 0).text]);
    const stored = await (await asReader(page, world.skein)).messages(openChat(page));
    assert.equal(stored.length, 2);
  });

  check("cannot be changed while an answer is written", async ({ page }) => {
    await send(page, tokens(2000, 10).prompt);
    await shows(page, 5);
    assert.equal(await page.getByTestId("edit").isVisible(), false);
    assert.equal(await page.getByTestId("retry").isVisible(), false);
    await page.keyboard.press("Escape");
    await rests(page);
    await page.getByTestId("retry").getByText("Try again").waitFor();
  });

  check("goes to the model that was chosen, which is remembered", async ({ page }) => {
    const model = page.getByTestId("model");
    await model.waitFor();
    assert.equal(await model.inputValue(), "mock", "the default comes first");
    await model.selectOption({ label: "The echo" });
    await page.reload();
    await model.waitFor();
    assert.equal(await model.inputValue(), "mock-echo");
    await ask(page, "Halloo.");
    assert.deepEqual(await answers(page), ["Halloo."]);
    await model.selectOption("mock");
    await page.reload();
    await model.waitFor();
    assert.equal(await page.evaluate(() => localStorage.getItem("skein.model")), null, "the default is whatever the operator makes it");
  });
});

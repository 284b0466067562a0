// A conversation that others may read.

import assert from "node:assert/strict";
import { describe } from "node:test";

import { violations } from "../support/browser.mjs";
import { tokens } from "../support/chat.mjs";
import { answers, ask, asReader, openChat, rests, send, shows, startConsole } from "../support/console.mjs";

describe("a conversation in the console", () => {
  const world = startConsole();
  const { check } = world;

  const share = async (page, shared) => {
    await page.getByTestId("chat-menu").click();
    await page.getByRole("menuitem", { name: "Share…" }).click();
    const changed = page.waitForResponse((response) => response.request().method() === "PATCH");
    await page.getByRole("switch", { name: "Anyone with the link may read it" }).setChecked(shared);
    await changed;
  };
  check("is shared by a link, and read by others without a field to write in", async ({ page, context }) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await ask(page, `[[mock: text="A shared word." title.text=Kettle pace_ms=0]] Tell me.`);
    assert.equal(await page.getByTestId("shared-mark").isVisible(), false);
    await share(page, true);
    await page.getByRole("button", { name: "Copy", exact: true }).locator("visible=true").last().click();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(link, page.url());
    await page.getByRole("button", { name: "Done" }).click();
    await page.getByTestId("shared-mark").waitFor();

    const other = await world.browser.visit(world.skein.url);
    try {
      await other.page.goto(link);
      await other.page.getByTestId("answer-text").getByText("A shared word.").waitFor();
      await other.page.getByTestId("readonly-note").getByText("You can read it, but not write in it.").waitFor();
      await other.page.getByRole("heading", { level: 1, name: "Kettle" }).waitFor();
      for (const own of ["composer", "vote-up", "retry", "edit", "rename", "chat-menu"]) {
        assert.equal(await other.page.getByTestId(own).isVisible(), false, own);
      }
      assert.equal(await other.page.getByTestId("conversation-item").count(), 0, "it is not theirs");
      assert.deepEqual(await violations(other.page), []);
      await world.browser.picture(other.page, "readonly");

      // What is written meanwhile is seen as it comes.
      await send(page, tokens(100, 15).prompt);
      await shows(other.page, 10);
      await shows(other.page, 99);
      await rests(page);
      assert.deepEqual(other.faults, []);
    } finally {
      await other.context.close();
    }
  });

  check(
    "is nobody else's again when it is not shared any more",
    async ({ page }) => {
      await ask(page, tokens(3, 0).prompt);
      await share(page, true);
      const changed = page.waitForResponse((response) => response.request().method() === "PATCH");
      await page.getByTestId("share-public").focus();
      await page.keyboard.press("Space");
      await changed;
      await page.keyboard.press("Escape");
      await page.getByTestId("shared-mark").waitFor({ state: "hidden" });
      const reader = await asReader(page, world.skein);
      assert.equal((await reader.call("GET", `/api/chat/${openChat(page)}`)).body.visibility, "private");

      await page.evaluate(() => localStorage.clear());
      await page.reload();
      await page.getByTestId("load-error").getByText("This conversation belongs to someone else.").waitFor();
      assert.deepEqual(await answers(page), []);
    },
    { refused: [403] },
  );

  check(
    "is not said to be shared when the server could not be told",
    async ({ page }) => {
      await ask(page, tokens(3, 0).prompt);
      await page.getByTestId("chat-menu").click();
      await page.getByRole("menuitem", { name: "Share…" }).click();
      await page.route("**/api/chat/*", (route) => route.abort());
      await page.getByTestId("share-public").click();
      await page.getByText("Nothing was changed. Skein could not be reached.").waitFor();
      assert.equal(await page.getByTestId("share-public").isChecked(), false);
    },
    { lossy: true },
  );
});

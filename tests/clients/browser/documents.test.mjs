// Documents beside the conversation: written, read, changed, gone back to.

import assert from "node:assert/strict";
import { describe } from "node:test";

import { ask, asReader, openChat, rests, send, startConsole } from "../support/console.mjs";

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

describe("a document in the console", () => {
  const world = startConsole({ env: () => ({ SKEIN_IMAGE_MODEL: "mock" }) });
  const { check } = world;
  const pane = (page) => page.getByTestId("document");
  const body = (page) => page.getByTestId("document-body");
  const version = (page, words) => page.getByTestId("version").getByText(words, { exact: true }).waitFor();
  const button = (page, name) => pane(page).getByRole("button", { name, exact: true });
  /** Has a tool called; what writes the document is told by its title. */
  const calling = (tool, args) => `[[mock: tool=${tool} args=${JSON.stringify(args)} pace_ms=0]] Please.`;
  const creating = (kind, words) => calling("createDocument", { title: `Plan [[mock: ${words}]]`, kind });
  const create = async (page, kind, text) => {
    await ask(page, creating(kind, `text=${JSON.stringify(text)} pace_ms=0`));
    await version(page, "Version 1 of 1");
  };
  const idOf = async (page) => {
    const stored = await (await asReader(page, world.skein)).messages(openChat(page));
    return stored.flatMap((message) => message.parts).findLast((part) => part.output?.id).output.id;
  };
  const contents = async (page) => {
    const reader = await asReader(page, world.skein);
    return (await reader.call("GET", `/api/document?id=${await idOf(page)}`)).body.map((row) => row.content);
  };
  const edit = async (page, text) => {
    await button(page, "Edit").click();
    await page.getByTestId("document-text").fill(text);
    await button(page, "Save as a new version").click();
  };

  check("opens by itself, and grows while it is written", async ({ page }) => {
    await page.evaluate(() => {
      const seen = (globalThis.seen = []);
      const body = document.getElementById("document-body");
      new MutationObserver(() => seen.push(body.textContent)).observe(body, { subtree: true, childList: true, characterData: true });
    });
    await send(page, creating("text", "tokens=150 pace_ms=10"));
    await body(page).getByText("tok20").waitFor();
    await page.getByTestId("document-note").getByText("Being written…").waitFor();
    assert.equal(await page.getByTestId("pane").isVisible(), false, "it has the place of the run details");
    await version(page, "Version 1 of 1");
    await rests(page);
    await body(page).getByText("tok149").waitFor();
    const seen = await page.evaluate(() => globalThis.seen);
    assert.ok(new Set(seen).size > 20, `${new Set(seen).size} states of it were seen`);
    const lengths = seen.map((text) => text.trim().length);
    assert.deepEqual(lengths, lengths.toSorted((a, b) => a - b), "it only ever grew");
  });

  check("is closed, and opened again from the message, also after a reload", async ({ page }) => {
    await create(page, "text", "Some **words**.");
    await button(page, "Close the document").click();
    await pane(page).waitFor({ state: "hidden" });
    await page.getByTestId("pane").waitFor();
    await page.reload();
    await page.getByTestId("document-card").click();
    await body(page).getByText("Some words.").waitFor();
    await page.getByTestId("document-body").focus();
    await page.keyboard.press("Escape");
    await pane(page).waitFor({ state: "hidden" });
    assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "document-card", "the focus goes back");
    await page.getByTestId("document-card").click();
    await body(page).getByText("Some words.").waitFor();
    await page.getByTestId("new-chat").click();
    await pane(page).waitFor({ state: "hidden" });
  });

  check("is edited into new versions, and goes back to an older one", async ({ page }) => {
    await create(page, "text", "First.");
    await button(page, "Edit").click();
    await page.getByTestId("document-text").fill("Never.");
    await page.keyboard.press("Escape");
    assert.deepEqual(await contents(page), ["First."]);
    await edit(page, "Second.");
    await version(page, "Version 2 of 2");
    await page.getByTestId("document-note").getByText("Saved as version 2.").waitFor();
    await edit(page, "Third.");
    await version(page, "Version 3 of 3");
    assert.deepEqual(await contents(page), ["First.", "Second.", "Third."]);

    await button(page, "Older version").click();
    await body(page).getByText("Second.").waitFor();
    await version(page, "Version 2 of 3");
    assert.equal(await button(page, "Edit").isVisible(), false, "only the newest is edited");
    await button(page, "Older version").click();
    await version(page, "Version 1 of 3");
    assert.equal(await button(page, "Older version").getAttribute("aria-disabled"), "true");
    await button(page, "Newer version").click();
    await button(page, "Restore").click();
    await version(page, "Version 2 of 2");
    await page.getByTestId("document-note").getByText("Restored as version 2.").waitFor();
    assert.deepEqual(await contents(page), ["First.", "Second."], "the restored version itself stays");
    await body(page).getByText("Second.").waitFor();
  });

  check("is changed by the model, and shows the new version", async ({ page }) => {
    await create(page, "text", "Green tea.");
    const id = await idOf(page);
    await ask(page, calling("editDocument", { id, old_string: "Green", new_string: "Black" }));
    await version(page, "Version 2 of 2");
    await body(page).getByText("Black tea.").waitFor();
    await button(page, "Close the document").click();
    await ask(page, calling("editDocument", { id, old_string: "Black", new_string: "White" }));
    await version(page, "Version 3 of 3");
    await body(page).getByText("White tea.").waitFor();
    await page.getByTestId("document-card").first().click();
    await version(page, "Version 3 of 3");
  });

  check("is code with colours once it is finished, and is copied", async ({ page, context }) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const code = "def greet(name):\n    return 'hello ' + name\n\nprint(greet('tea'))";
    await create(page, "code", code);
    await body(page).locator(".hljs-keyword").first().waitFor();
    await button(page, "Copy").click();
    await button(page, "Copied").waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), code);
  });

  check("is a table where it is one", async ({ page }) => {
    await create(page, "sheet", 'Tea,Price,Note\n"Green, fine",3.50,"Says ""ah"""\nBlack,2,"two\nlines"');
    const rows = await body(page).getByRole("row").evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
    assert.deepEqual(rows, [["Tea", "Price", "Note"], ["Green, fine", "3.50", 'Says "ah"'], ["Black", "2", "two\nlines"]]);
    assert.equal(await body(page).getByRole("columnheader").count(), 3);
    await edit(page, "Tea,Price\nWhite,9");
    await version(page, "Version 2 of 2");
    assert.equal(await body(page).getByRole("cell").count(), 2);
  });

  check("is a picture where it is one", async ({ page }) => {
    await ask(page, calling("createDocument", { title: "A cup", kind: "image" }));
    await version(page, "Version 1 of 1");
    const image = body(page).getByRole("img", { name: "A cup" });
    assert.equal(await image.evaluate((one) => one.decode().then(() => one.naturalWidth)), 1);
    assert.equal(await button(page, "Edit").isVisible(), false);
  });

  check(
    "is said not to be kept when its answer is stopped",
    async ({ page }) => {
      await send(page, creating("text", "tokens=2000 pace_ms=10"));
      await body(page).getByText("tok20").waitFor();
      await page.getByTestId("stop").click();
      await rests(page);
      await page.getByTestId("document-note").getByText("It was not finished, and is not kept.").waitFor();
      await body(page).getByText("tok20").waitFor();
      assert.equal(await button(page, "Edit").isVisible(), false);
    },
    { refused: [404] },
  );

  check("has suggestions that are applied or dismissed", async ({ page }) => {
    await create(page, "text", "The tea is good. The cup is old. More words stand here.");
    const id = await idOf(page);
    await ask(page, calling("requestSuggestions", { documentId: id }));
    const suggestions = page.getByTestId("suggestion");
    await suggestions.nth(1).waitFor();
    const wanted = await suggestions.first().locator("ins").innerText();
    await suggestions.first().getByRole("button", { name: "Apply" }).click();
    await version(page, "Version 2 of 2");
    assert.ok((await contents(page)).at(-1).startsWith(wanted));
    assert.equal(await suggestions.count(), 1);
    await suggestions.getByRole("button", { name: "Dismiss" }).click();
    await suggestions.waitFor({ state: "detached" });
    await page.reload();
    await page.getByTestId("document-card").first().click();
    await version(page, "Version 2 of 2");
    assert.equal(await suggestions.count(), 0);
  });

  check(
    "says that nothing was saved when the server could not be reached, and keeps what was typed",
    async ({ page }) => {
      await create(page, "text", "First.");
      await page.route("**/api/document?*", (route) => (route.request().method() === "POST" ? route.abort() : route.continue()));
      await edit(page, "Second.");
      await page.getByTestId("document-note").getByText("Nothing was changed. Skein could not be reached.").waitFor();
      assert.equal(await page.getByTestId("document-text").inputValue(), "Second.");
      await page.unroute("**/api/document?*");
      await button(page, "Save as a new version").click();
      await version(page, "Version 2 of 2");
    },
    { lossy: true },
  );

  check(
    "is a drawer on a phone",
    async ({ page }) => {
      await ask(page, creating("text", 'text="Small words." pace_ms=0'));
      await body(page).getByText("Small words.").waitFor();
      assert.equal(await page.locator("#main").evaluate((main) => main.inert), true);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0);
      await button(page, "Close the document").tap();
      await pane(page).waitFor({ state: "hidden" });
      await page.getByTestId("document-card").tap();
      await body(page).getByText("Small words.").waitFor();
    },
    PHONE,
  );
});

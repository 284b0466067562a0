// The main states of the page, light and dark: axe-core finds nothing in any, and each has its picture.

import assert from "node:assert/strict";
import { describe } from "node:test";

import { violations } from "../support/browser.mjs";
import { tokens } from "../support/chat.mjs";
import { ask, asReader, rests, send, shows, startConsole } from "../support/console.mjs";

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const EVERYTHING = "[[mock: demo pace_ms=0]] Show a list, a table and some code for a tea shop that ships to five cities.";

/** A picture of one pixel. */
const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

describe("axe-core finds nothing", () => {
  const world = startConsole({ env: () => ({ SKEIN_MODEL_ALIASES: JSON.stringify({ mock: { vision: true } }) }) });

  /** Checks the state that `reach` brings the page to; `leave` ends what still goes on in it. */
  const state = (name, reach, { leave = async () => {}, ...options } = {}) =>
    world.check(
      `in the state: ${name}`,
      async ({ page }) => {
        await reach(page);
        for (const colorScheme of ["light", "dark"]) {
          await page.emulateMedia({ colorScheme });
          assert.deepEqual(await violations(page), [], colorScheme);
          await world.browser.picture(page, `${name.replaceAll(" ", "-")}-${colorScheme}`);
        }
        await leave(page);
      },
      options,
    );
  const stop = async (page) => {
    await page.keyboard.press("Escape");
    await rests(page);
  };
  const finished = async (page) => {
    await ask(page, EVERYTHING);
    await page.locator(".hljs-keyword").first().waitFor();
  };

  const WORDS = {
    text: "# Tea\n\nThe tea is good, and **hot**. The cup is old.\n\n- green\n- black\n\nMore words stand here.",
    code: "def greet(name):\n    # A greeting.\n    return 'hello ' + name\n\nprint(greet('tea'))",
    sheet: "Tea,Price,Note\nGreen,3.50,fresh\nBlack,2.00,strong\nWhite,9.25,rare",
  };
  const document = async (page, kind) => {
    const title = `A plan for tea [[mock: text=${JSON.stringify(WORDS[kind])} pace_ms=0]]`;
    await ask(page, `[[mock: tool=createDocument args=${JSON.stringify({ title, kind })} pace_ms=0]] Write it, please.`);
    await page.getByTestId("version").getByText("Version 1 of 1").waitFor();
  };
  const picture = (name) => ({ name, mimeType: "image/png", buffer: Buffer.from(PIXEL, "base64") });

  state("empty", (page) => page.getByText("Answers come from mock.").waitFor());
  state(
    "streaming",
    async (page) => {
      await send(page, "[[mock: reasoning=\"First I think about it.\" tokens=2000 pace_ms=15]] Count, please.");
      await shows(page, 30);
    },
    { leave: stop },
  );
  state("finished", finished);
  state("thoughts", async (page) => {
    await ask(page, '[[mock: reasoning="First I think. Then I answer." tokens=4 pace_ms=0]] Why?');
    await page.locator("summary").click();
  });
  state("stopped", async (page) => {
    await send(page, tokens(2000, 10).prompt);
    await shows(page, 30);
    await stop(page);
    await page.getByTestId("stopped-note").waitFor();
  });
  state("error", async (page) => {
    await send(page, "[[mock: tokens=50 pace_ms=0 error_after=20]] Count, please.");
    await page.getByTestId("error").waitFor();
    await rests(page);
  });
  state("too long", (page) => page.getByTestId("composer").fill("x".repeat(2001)));
  state("deleting", async (page) => {
    await finished(page);
    await page.getByTestId("conversation-item").hover();
    await page.locator(".history-delete").click();
    await page.getByRole("dialog").waitFor();
  });
  state("searching", async (page) => {
    await finished(page);
    const reader = await asReader(page, world.skein);
    await reader.indexed("tea", 1);
    await page.getByTestId("search").fill("tea");
    await page.getByTestId("search-hit").first().waitFor();
  });
  state("menu", async (page) => {
    await finished(page);
    await page.getByTestId("chat-menu").click();
  });
  state("renaming", async (page) => {
    await finished(page);
    await page.getByTestId("rename").click();
  });
  state("sharing", async (page) => {
    await finished(page);
    await page.getByTestId("chat-menu").click();
    await page.getByRole("menuitem", { name: "Share…" }).click();
    await page.getByTestId("share-public").click();
    await page.getByTestId("share-link").waitFor();
  });
  state("changing a message", async (page) => {
    await finished(page);
    await page.getByTestId("vote-up").click();
    await page.getByTestId("edit").focus();
    await page.keyboard.press("Enter");
  });
  state("creating an account", async (page) => {
    await page.getByTestId("user").click();
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByTestId("account-failed").waitFor();
  });
  state("signing in", async (page) => {
    await page.getByTestId("user").click();
    await page.getByRole("button", { name: "I have an account" }).click();
  });
  const attached = async (page) => {
    await page.getByTestId("model").waitFor();
    await page.getByTestId("attach-input").setInputFiles([picture("cup.png"), picture("a long name of a picture of a cup.png")]);
    await page.locator("[data-testid='attachment'][data-state='ready']").nth(1).waitFor();
    await page.getByTestId("composer").fill("What are these?");
  };
  state("attaching", attached);
  state("attached", async (page) => {
    await attached(page);
    await page.getByTestId("send").click();
    await page.getByTestId("file-image").nth(1).waitFor();
    await rests(page);
  });
  state("document", (page) => document(page, "text"));
  state("document code", async (page) => {
    await document(page, "code");
    await page.getByTestId("document").locator(".hljs-keyword").first().waitFor();
  });
  state("document table", (page) => document(page, "sheet"));
  state("document editing", async (page) => {
    await document(page, "text");
    await page.getByRole("button", { name: "Edit", exact: true }).last().click();
    await page.getByTestId("document-text").waitFor();
  });
  state("document suggestions", async (page) => {
    await document(page, "text");
    const { chats } = (await (await asReader(page, world.skein)).call("GET", "/api/history")).body;
    const stored = await (await asReader(page, world.skein)).messages(chats[0].id);
    const { id } = stored.flatMap((message) => message.parts).find((part) => part.output?.id).output;
    await ask(page, `[[mock: tool=requestSuggestions args={"documentId":"${id}"} pace_ms=0]] Suggest something, please.`);
    await page.getByTestId("suggestion").first().waitFor();
  });
  state("phone document", (page) => document(page, "text"), PHONE);
  state("phone account", async (page) => {
    await page.getByRole("button", { name: "Conversations" }).tap();
    await page.getByTestId("user").tap();
    await page.getByTestId("account").waitFor();
  }, PHONE);
  state("phone empty", (page) => page.getByText("Answers come from mock.").waitFor(), PHONE);
  state("phone", finished, PHONE);
  state(
    "phone drawer",
    async (page) => {
      await finished(page);
      await page.getByRole("button", { name: "Conversations" }).tap();
      await page.getByTestId("conversation-list").waitFor();
    },
    PHONE,
  );
  state(
    "phone details",
    async (page) => {
      await finished(page);
      await page.getByRole("button", { name: "Run details" }).tap();
      await page.getByTestId("pane").waitFor();
    },
    PHONE,
  );
});

// The main states of the page, light and dark: axe-core finds nothing in any, and each has its picture.

import assert from "node:assert/strict";
import { describe } from "node:test";

import { violations } from "../support/browser.mjs";
import { tokens } from "../support/chat.mjs";
import { ask, rests, send, shows, startConsole } from "../support/console.mjs";

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const EVERYTHING = "[[mock: demo pace_ms=0]] Show a list, a table and some code for a tea shop that ships to five cities.";

describe("axe-core finds nothing", () => {
  const world = startConsole();

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

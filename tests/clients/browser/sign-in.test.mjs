// Who the page acts as: a guest, somebody with an account, and what happens when a token is not good any more.

import assert from "node:assert/strict";
import { describe } from "node:test";

import { openPage } from "../support/browser.mjs";
import { tokens } from "../support/chat.mjs";
import { answers, ask, startConsole } from "../support/console.mjs";

const PASSWORD = "correct horse";

describe("signing in", () => {
  const world = startConsole();
  const { check } = world;
  const address = () => `reader-${crypto.randomUUID()}@example.org`;
  const user = (page) => page.getByTestId("user");
  const dialog = (page) => page.getByTestId("account");
  const failure = (page) => page.getByTestId("account-failed");
  const items = (page) => page.getByTestId("conversation-item");
  const stored = (page, key) => page.evaluate((name) => localStorage.getItem(`skein.${name}`), key);

  const fillIn = async (page, email, password, send) => {
    const visible = (label) => dialog(page).getByLabel(label).locator("visible=true");
    await visible("E-mail address").fill(email);
    await visible("Password").fill(password);
    await dialog(page).getByRole("button", { name: send }).click();
  };
  const register = async (page, email = address()) => {
    await user(page).click();
    await fillIn(page, email, PASSWORD, "Create account");
    await user(page).getByText(email).waitFor();
    return email;
  };
  const signIn = async (page, email, password = PASSWORD) => {
    await user(page).click();
    await dialog(page).getByRole("button", { name: "I have an account" }).click();
    await fillIn(page, email, password, "Sign in");
  };
  const signOut = async (page) => {
    await user(page).click();
    await dialog(page).getByRole("button", { name: "Sign out" }).click();
    await user(page).getByText("Guest").waitFor();
  };
  /** Makes the server refuse the page's token; `too` names what else is spoilt. */
  const spoil = (page, ...too) =>
    page.evaluate((keys) => {
      for (const key of keys) localStorage.setItem(`skein.${key}`, "spoilt");
    }, ["token", ...too]);

  check("makes an account that keeps the guest's conversations, and stays signed in", async ({ page }) => {
    await ask(page, tokens(4, 0).prompt);
    const email = await register(page);
    assert.equal(await dialog(page).isVisible(), false);
    assert.deepEqual(await answers(page), [tokens(4, 0).text], "the open conversation stays open");
    await page.reload();
    await user(page).getByText(email).waitFor();
    assert.equal(await items(page).count(), 1);
    await ask(page, tokens(5, 0).prompt);
    assert.equal((await answers(page)).length, 2);
  });

  check("leads out, to a new guest, and back in", async ({ page }) => {
    await ask(page, tokens(4, 0).prompt);
    const email = await register(page);
    await signOut(page);
    await items(page).first().waitFor({ state: "detached" });
    await page.getByRole("heading", { level: 1, name: "New chat" }).waitFor();
    assert.equal(await page.getByTestId("message-user").count(), 0, "nothing of the reader's is left on the page");

    await signIn(page, email);
    await user(page).getByText(email).waitFor();
    await items(page).first().waitFor();
    await items(page).getByRole("link").click();
    await page.getByTestId("answer-text").getByText(tokens(4, 0).text).waitFor();
  });

  check(
    "says in words what is wrong, and at which field",
    async ({ page, context }) => {
      await user(page).click();
      await fillIn(page, "nobody", PASSWORD, "Create account");
      await failure(page).getByText(/^E-mail address: /).waitFor();
      assert.equal(await page.evaluate(() => document.activeElement.id), "register-email");
      assert.equal(await page.locator("#register-email").getAttribute("aria-invalid"), "true");
      await fillIn(page, address(), "short", "Create account");
      await failure(page).getByText(/^Password: .*6/).waitFor();
      assert.equal(await page.evaluate(() => document.activeElement.id), "register-password");
      await fillIn(page, "", "", "Create account");
      await failure(page).getByText("Please give an e-mail address and a password.").waitFor();
      await page.keyboard.press("Escape");

      const email = await register(page);
      await signOut(page);
      await user(page).click();
      await fillIn(page, email, PASSWORD, "Create account");
      await failure(page).getByText(/^E-mail address: another account has the address/).waitFor();
      await dialog(page).getByRole("button", { name: "I have an account" }).click();
      assert.equal(await failure(page).isVisible(), false, "it is about the other form");
      await fillIn(page, email, "wrong horse", "Sign in");
      await failure(page).getByText("The e-mail address or the password is wrong.").waitFor();
      await context.setOffline(true);
      await fillIn(page, email, PASSWORD, "Sign in");
      await failure(page).getByText("Skein could not be reached.").waitFor();
      await context.setOffline(false);
      await dialog(page).getByRole("button", { name: "Continue as guest" }).click();
      await user(page).getByText("Guest").waitFor();
    },
    { refused: [400, 401], lossy: true },
  );

  check("is made for keyboards and for password managers", async ({ page }) => {
    await user(page).getByText("Guest").waitFor();
    await user(page).focus();
    await page.keyboard.press("Enter");
    await dialog(page).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), "register-email");
    const hints = (form) => page.locator(`#${form} input`).evaluateAll((all) => all.map((input) => [input.type, input.autocomplete]));
    assert.deepEqual(await hints("register-form"), [["email", "username"], ["password", "new-password"]]);
    assert.deepEqual(await hints("login-form"), [["email", "username"], ["password", "current-password"]]);
    const email = address();
    await page.keyboard.type(email);
    await page.keyboard.press("Tab");
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press("Enter");
    await user(page).getByText(email).waitFor();
    await page.keyboard.press("Enter");
    await dialog(page).getByText(`You are signed in as ${email}`).waitFor();
    await page.keyboard.press("Escape");
    await dialog(page).waitFor({ state: "hidden" });
    assert.equal(await page.evaluate(() => document.activeElement.id), "user");
  });

  check(
    "renews a token that is refused, once for all tabs",
    async ({ page, context }) => {
      await ask(page, tokens(4, 0).prompt);
      const email = await register(page);
      const before = await stored(page, "refresh");
      const renewals = [];
      const refused = new Set();
      let all;
      const met = new Promise((resolve) => (all = resolve));
      context.on("response", (response) => {
        if (response.status() === 401 && refused.add(response.frame().page()).size === 2) all();
      });
      // No renewal is answered before every tab has learnt that it needs one.
      await context.route("**/api/auth/refresh", async (route) => {
        renewals.push(route);
        await met;
        await route.continue();
      });
      await spoil(page);
      const [, second] = await Promise.all([page.reload(), openPage(context, page.url())]);
      for (const tab of [page, second]) {
        await tab.getByTestId("answer-text").getByText(tokens(4, 0).text).waitFor();
        await user(tab).getByText(email).waitFor();
      }
      assert.equal(renewals.length, 1);
      assert.notEqual(await stored(page, "refresh"), before, "a refresh token is good for one use");
      await ask(second, tokens(5, 0).prompt);
    },
    { refused: [401] },
  );

  check(
    "says when a session has ended, and goes on as a guest",
    async ({ page }) => {
      const email = await register(page);
      await spoil(page, "refresh");
      await page.reload();
      await dialog(page).getByText("Your session has ended. Please sign in again.").waitFor();
      await fillIn(page, email, PASSWORD, "Sign in");
      await user(page).getByText(email).waitFor();
    },
    { refused: [400, 401] },
  );

  check(
    "lets a guest of before keep its conversations, and makes another when the server has forgotten it",
    async ({ page }) => {
      await ask(page, tokens(4, 0).prompt);
      await page.evaluate(() => localStorage.removeItem("skein.refresh"));
      await page.reload();
      await page.getByTestId("answer-text").getByText(tokens(4, 0).text).waitFor();
      await spoil(page);
      await page.reload();
      await page.getByRole("heading", { level: 1, name: "New chat" }).waitFor();
      await items(page).first().waitFor({ state: "detached" });
      assert.equal(await dialog(page).isVisible(), false, "a guest has nothing to sign in to");
      await ask(page, tokens(5, 0).prompt);
    },
    { refused: [401, 403] },
  );

  check("happens in every tab", async ({ page, context }) => {
    await ask(page, tokens(4, 0).prompt);
    const email = await register(page);
    const second = await openPage(context, page.url());
    await second.getByTestId("answer-text").waitFor();
    await signOut(page);
    await user(second).getByText("Guest").waitFor();
    await second.getByTestId("answer-text").waitFor({ state: "detached" });
    await signIn(second, email);
    await user(page).getByText(email).waitFor();
    await items(page).first().waitFor();
  });
});

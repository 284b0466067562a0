// Pictures that go with a message.

import assert from "node:assert/strict";
import { describe } from "node:test";

import { ask, asReader, openChat, rests, startConsole } from "../support/console.mjs";

/** A picture of one pixel. */
const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const picture = (name) => ({ name, mimeType: "image/png", buffer: Buffer.from(PIXEL, "base64") });

describe("a picture in the console", () => {
  const aliases = { mock: { vision: true }, "mock-echo": { name: "The blind", vision: false } };
  const world = startConsole({ env: () => ({ SKEIN_MODEL_ALIASES: JSON.stringify(aliases) }) });
  const { check } = world;
  const items = (page, state) => page.locator(`[data-testid='attachment']${state ? `[data-state='${state}']` : ""}`);
  const choose = (page, ...files) => page.getByTestId("attach-input").setInputFiles(files);
  const note = (page, words) => page.getByTestId("attachments-note").getByText(words).waitFor();
  /** Lets the page have a file as pasting or dropping gives it. */
  const giving = (page, target, type, name) =>
    page.evaluate(
      ([pixel, target, type, name]) => {
        const bytes = Uint8Array.from(atob(pixel), (sign) => sign.charCodeAt(0));
        const data = new DataTransfer();
        data.items.add(new File([bytes], name, { type: "image/png" }));
        const init = { bubbles: true, cancelable: true };
        const event =
          type === "paste" ? new ClipboardEvent(type, { ...init, clipboardData: data }) : new DragEvent(type, { ...init, dataTransfer: data });
        document.getElementById(target).dispatchEvent(event);
      },
      [PIXEL, target, type, name],
    );

  check("is chosen, brought, sent, and shown with the message", async ({ page }) => {
    await page.getByTestId("model").waitFor();
    await choose(page, picture("cup.png"));
    await items(page, "ready").getByRole("img", { name: "cup.png" }).waitFor();
    assert.equal(await page.getByTestId("send").isDisabled(), false, "a picture alone is a message");
    await ask(page, "[[mock: text=Nice. pace_ms=0]] What is this?");
    assert.equal(await items(page).count(), 0);
    const image = page.getByTestId("message-user").getByTestId("file-image");
    const isShown = () => image.evaluate((one) => one.decode().then(() => one.naturalWidth));
    assert.equal(await isShown(), 1);
    assert.match(await image.getAttribute("alt"), /cup.*\.png/);
    const [question] = await (await asReader(page, world.skein)).messages(openChat(page));
    assert.deepEqual(question.parts.map((part) => part.type), ["file", "text"], "it stands before the words about it");
    await page.reload();
    assert.equal(await isShown(), 1);

    await page.getByTestId("retry").click();
    await rests(page);
    assert.equal(await isShown(), 1, "it goes along when the message is answered anew");
    await page.getByTestId("edit").focus();
    await page.keyboard.press("Enter");
    await page.getByTestId("edit-text").fill("[[mock: text=Again. pace_ms=0]] And now?");
    await page.keyboard.press("Enter");
    await page.getByTestId("answer-text").getByText("Again.").waitFor();
    assert.equal(await isShown(), 1, "and when it is changed");
  });

  check("is pasted, dropped, and taken back", async ({ page }) => {
    await page.getByTestId("model").waitFor();
    await giving(page, "composer", "paste", "pasted.png");
    await giving(page, "messages", "drop", "dropped.png");
    await items(page, "ready").nth(1).waitFor();
    await page.getByRole("button", { name: "Remove pasted.png" }).click();
    assert.equal(await items(page).count(), 1);
    assert.equal(await page.evaluate(() => document.activeElement.id), "composer");
    await page.getByTestId("composer").fill("[[mock: text=Yes. pace_ms=0]]");
    await page.keyboard.press("Enter");
    await page.getByTestId("answer-text").getByText("Yes.").waitFor();
    assert.equal(await page.getByTestId("file-image").count(), 1);
  });

  check("is refused in words when it is none, or too large", async ({ page }) => {
    await page.getByTestId("model").waitFor();
    await choose(page, { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("x") });
    await note(page, "“notes.txt” is neither a PNG nor a JPEG.");
    await choose(page, { name: "huge.png", mimeType: "image/png", buffer: Buffer.alloc(5 * 1024 * 1024 + 1) });
    await note(page, "“huge.png” is larger than 5 MiB.");
    assert.equal(await items(page).count(), 0);
  });

  check(
    "says when it could not be brought, and keeps the message from being sent without it",
    async ({ page }) => {
      await page.getByTestId("model").waitFor();
      await choose(page, { name: "fake.png", mimeType: "image/png", buffer: Buffer.from("no picture") });
      await items(page, "failed").waitFor();
      await note(page, /^“fake\.png” was not brought to the server\. ./);
      await page.getByTestId("composer").fill("Look.");
      assert.equal(await page.getByTestId("send").isDisabled(), true);
      await page.getByRole("button", { name: "Remove fake.png" }).click();
      assert.equal(await page.getByTestId("send").isDisabled(), false);

      let go;
      const held = new Promise((resolve) => (go = resolve));
      await page.route("**/api/files/upload", async (route) => {
        await held;
        await route.abort();
      });
      await choose(page, picture("slow.png"));
      await items(page, "uploading").getByRole("progressbar", { name: "Bringing slow.png to the server" }).waitFor();
      assert.equal(await page.getByTestId("send").isDisabled(), true);
      go();
      await note(page, "Skein could not be reached.");
    },
    { refused: [400], lossy: true },
  );

  check("is not taken by a model that sees nothing", async ({ page }) => {
    await page.getByTestId("model").waitFor();
    await page.getByTestId("model").selectOption({ label: "The blind" });
    const attach = page.getByRole("button", { name: "The chosen model takes no pictures" });
    assert.equal(await attach.getAttribute("aria-disabled"), "true");
    await giving(page, "composer", "paste", "pasted.png");
    await note(page, "The chosen model takes no pictures.");
    assert.equal(await items(page).count(), 0);
  });

  check("of another host is a link, and its host is not asked", async ({ page }) => {
    const reader = await asReader(page, world.skein);
    const chat = crypto.randomUUID();
    const file = { type: "file", mediaType: "image/png", name: "spy.png", url: "https://spy.example/a.png" };
    const data = { type: "file", mediaType: "image/png", name: "inline.png", url: `data:image/png;base64,${PIXEL}` };
    const message = { id: crypto.randomUUID(), role: "user", parts: [file, data, { type: "text", text: "[[mock: text=Seen. pace_ms=0]]" }] };
    const answer = await fetch(`${world.skein.url}/api/chat`, { method: "POST", headers: reader.headers, body: JSON.stringify({ id: chat, message }) });
    await answer.text();
    await page.goto(`${world.skein.url}/?c=${chat}`);
    const link = page.getByTestId("file-link");
    await link.getByText("spy.png").waitFor();
    assert.match(await link.getAttribute("rel"), /noreferrer/);
    assert.equal(await page.getByRole("img", { name: "inline.png" }).evaluate((one) => one.decode().then(() => one.naturalWidth)), 1);
  });
});

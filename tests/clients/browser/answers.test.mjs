// Asking, and what the page makes of an answer.

import assert from "node:assert/strict";
import { describe } from "node:test";

import { tokens } from "../support/chat.mjs";
import { answers, ask, asReader, grewTo, openChat, record, recorded, rests, send, shows, startConsole } from "../support/console.mjs";

/** The directive for a text of its own. */
const saying = (text, words = "pace_ms=0") => `[[mock: text=${JSON.stringify(text)} ${words}]]`;

const CODE = 'const answer = 42;\nfunction ask() {\n  return "LAST";\n}';

describe("an answer in the console", () => {
  const world = startConsole();
  const { check } = world;

  check("grows while it is written, and never changes what is there", async ({ page }) => {
    const answer = tokens(150, 20);
    await record(page);
    await send(page, answer.prompt);
    await shows(page, 149);
    await rests(page);

    const notes = await recorded(page);
    grewTo(notes, answer.text);
    assert.ok(notes.length > 30, `the page showed ${notes.length} states of it`);
    assert.equal(await page.getByTestId("message-user").count(), 1);
    await page.getByTestId("conversation-item").waitFor();
  });

  check("is shown as Markdown", async ({ page }) => {
    const text = "# Tea\n\nWith **care**:\n\n- water\n- leaves\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nSee [more](https://tea.example).";
    await ask(page, saying(text));
    const answer = page.getByTestId("answer-text");

    assert.equal(await answer.getByRole("heading", { name: "Tea" }).count(), 1);
    assert.equal(await answer.locator("strong").innerText(), "care");
    assert.deepEqual(await answer.getByRole("listitem").allInnerTexts(), ["water", "leaves"]);
    assert.deepEqual(await answer.getByRole("cell").allInnerTexts(), ["1", "2"]);
    const link = answer.getByRole("link", { name: "more" });
    assert.match(await link.getAttribute("rel"), /noopener/);
  });

  check("cannot run, load or style anything", async ({ page }) => {
    const attack = [
      "<script>document.title = 'run'</script>",
      "<img src=x onerror=\"document.title='run'\">",
      "[a](javascript:alert(1)) ![b](https://spy.example/b.png)",
      "<b style='position:fixed'>c</b> <svg onload=alert(1)></svg>",
    ].join("\n\n");
    await ask(page, saying(attack));
    const answer = page.getByTestId("answer-text");

    assert.equal(await answer.locator("script, img, svg:not(.icon), iframe, [style], [onerror], [onload]").count(), 0);
    assert.equal(await answer.locator("a[href^='javascript:' i]").count(), 0);
    assert.notEqual(await page.title(), "run");
  });

  check("has code with a button that copies it", async ({ page, context }) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await ask(page, saying(`Here:\n\n\`\`\`js\n${CODE}\n\`\`\``));
    await page.locator(".copy-code").click();
    await page.locator(".copy-code", { hasText: "Copied" }).waitFor();

    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `${CODE}\n`);
  });

  check("has its code coloured when the fence has closed, and not before", async ({ page }) => {
    await record(page);
    await send(page, saying(`\`\`\`js\n${CODE}\n\`\`\`\n\n${tokens(60, 0).text}`, "pace_ms=20"));
    await page.locator(".hljs-keyword").first().waitFor();
    const busy = await page.getByTestId("stop").isVisible();
    await rests(page);

    assert.ok(busy, "the colours came while the text behind the code was written");
    const notes = await recorded(page);
    const open = notes.filter((note) => note.text.includes("const") && !note.text.includes("tok0"));
    const whole = open.filter((note) => note.text.includes("LAST"));
    assert.ok(open.length - whole.length > 3, "the code was seen as it grew");
    assert.deepEqual(open.filter((note) => note.coloured && !whole.includes(note)), []);
  });

  check("has its thoughts folded away", async ({ page }) => {
    await ask(page, '[[mock: reasoning="First I think." tokens=4 pace_ms=0]] Why?');
    const thoughts = page.getByTestId("message-assistant").getByText("First I think.");

    assert.equal(await thoughts.isVisible(), false);
    await page.locator("summary", { hasText: "Reasoning" }).click();
    await thoughts.waitFor();
    assert.deepEqual(await answers(page), [tokens(4, 0).text]);
  });

  check("is stopped by Escape, and says so", async ({ page }) => {
    await page.getByTestId("composer").fill(tokens(2000, 10).prompt);
    await page.getByTestId("composer").press("Enter");
    await shows(page, 20);
    const { hung_up: before } = await world.mock.stats();
    await page.keyboard.press("Escape");
    await world.mock.hungUp(before + 1);
    await rests(page);

    await page.getByTestId("stopped-note").getByText(/stopped/i).waitFor();
    assert.match(await page.getByTestId("status").innerText(), /stopped/i);
    const [kept] = await answers(page);
    assert.ok(tokens(2000, 10).text.startsWith(kept) && kept.includes("tok20"));
    await page.reload();
    await page.getByTestId("stopped-note").waitFor();
    assert.deepEqual(await answers(page), [kept], "what was shown is what was stored");
  });

  check("is stopped by the button, before its first word too", async ({ page }) => {
    await send(page, "[[mock: first_ms=60000 tokens=3]] Think.");
    await page.getByTestId("stop").click();
    await rests(page);
    await page.getByTestId("stopped-note").waitFor();

    assert.equal(await page.evaluate(() => document.activeElement.id), "composer");
  });

  check("gives way to the next message, and keeps its text", async ({ page }) => {
    await send(page, tokens(2000, 10).prompt);
    await shows(page, 20);
    await send(page, tokens(6, 0).prompt);
    await page.getByTestId("answer-text").nth(1).getByText(tokens(6, 0).text).waitFor();
    await rests(page);

    const [first, second] = await answers(page);
    assert.ok(tokens(2000, 10).text.startsWith(first) && first.includes("tok20"));
    assert.equal(second, tokens(6, 0).text);
    await page.getByTestId("stopped-note").waitFor();
    const stored = await (await asReader(page, world.skein)).messages(openChat(page));
    assert.equal(stored.length, 4);
  });

  check("says why it failed, and is tried again", async ({ page }) => {
    await send(page, `[[mock: status=401 times=1 key=${crypto.randomUUID()} tokens=5]] Please.`);
    await page.getByTestId("error").waitFor();
    assert.match(await page.getByTestId("error").innerText(), /^[A-Z].*\.$/m);
    await page.getByTestId("retry").click();
    await shows(page, 4);
    await rests(page);

    assert.deepEqual(await answers(page), [tokens(5, 0).text]);
    assert.equal(await page.getByTestId("error").count(), 0);
    assert.equal(await page.getByTestId("message-user").count(), 1);
  });

  check("keeps its text when it fails in the middle", async ({ page }) => {
    await send(page, "[[mock: tokens=50 pace_ms=2 error_after=20]] Count, please.");
    await page.getByTestId("error").waitFor();
    await rests(page);
    assert.deepEqual(await answers(page), [tokens(20, 0).text]);

    await ask(page, tokens(3, 0).prompt);
    assert.deepEqual(await answers(page), [tokens(20, 0).text, tokens(3, 0).text]);
  });

  check("is followed to its end until the reader scrolls up", async ({ page }) => {
    const away = () => page.getByTestId("messages").evaluate((all) => all.scrollHeight - all.scrollTop - all.clientHeight);
    const toEnd = page.getByTestId("to-end");
    await send(page, `[[mock: text=${JSON.stringify("long ".repeat(250))} pace_ms=0]]`);
    await rests(page);
    await send(page, tokens(1500, 3).prompt);
    await shows(page, 500);
    assert.ok((await away()) < 40, "the end is in view");
    assert.equal(await toEnd.isVisible(), false);

    await page.getByTestId("messages").hover();
    await page.mouse.wheel(0, -300);
    await toEnd.waitFor();
    const before = await away();
    await shows(page, 1100);
    assert.ok((await away()) > before, "the view stays where the reader is");
    await toEnd.click();
    await toEnd.waitFor({ state: "hidden" });
    assert.ok((await away()) < 40);
    await shows(page, 1499);
    await rests(page);
    assert.ok((await away()) < 40, "the end is followed again");
  });

  check("is announced once, when it is finished", async ({ page }) => {
    await page.evaluate(() => {
      const said = (globalThis.said = []);
      const announcer = document.getElementById("announcer");
      new MutationObserver(() => said.push(announcer.textContent)).observe(announcer, { childList: true, characterData: true, subtree: true });
    });
    const answer = tokens(30, 5);
    await ask(page, answer.prompt);
    await page.getByTestId("announcer").getByText(answer.text).waitFor({ state: "attached" });

    assert.deepEqual(await page.evaluate(() => globalThis.said), [`Skein answered: ${answer.text}`]);
  });
});

// Calls that wait for the reader's consent, and what the weather looks like.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, describe } from "node:test";

import { openPage, violations } from "../support/browser.mjs";
import { answers, ask, asReader, openChat, rests, send, startConsole } from "../support/console.mjs";

/** A weather service of one place and one day. */
async function startWeather() {
  const hours = Array.from({ length: 24 }, (_, hour) => `2026-06-01T${String(hour).padStart(2, "0")}:00`);
  const forecast = {
    latitude: 48.85,
    longitude: 2.35,
    timezone: "Europe/Paris",
    elevation: 38,
    current_units: { time: "iso8601", interval: "seconds", temperature_2m: "°C" },
    current: { time: "2026-06-01T12:15", interval: 900, temperature_2m: 21.4 },
    hourly_units: { time: "iso8601", temperature_2m: "°C" },
    hourly: { time: hours, temperature_2m: hours.map((_, hour) => 10 + hour / 2) },
    daily_units: { time: "iso8601", sunrise: "iso8601", sunset: "iso8601" },
    daily: { time: ["2026-06-01"], sunrise: ["2026-06-01T05:50"], sunset: ["2026-06-01T21:45"] },
  };
  const places = { results: [{ id: 1, name: "Paris", latitude: 48.85, longitude: 2.35, country: "France", timezone: "Europe/Paris" }] };
  const server = createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(request.url.startsWith("/places") ? places : forecast));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => server.close() };
}

describe("a call that waits for consent", () => {
  let weather;
  after(() => weather?.stop());
  const world = startConsole({
    env: async () => {
      weather = await startWeather();
      return {
        SKEIN_AI_SDK_CHUNKS: "v6",
        SKEIN_WEATHER_URL: `${weather.url}/forecast`,
        SKEIN_GEOCODING_URL: `${weather.url}/places`,
      };
    },
  });
  const { check } = world;
  const ASKING = '[[mock: tool=getWeather args={"city":"Paris"} pace_ms=0]] The weather in Paris?';
  const TWICE = '[[mock: tool=getWeather args={"city":"Paris"} tool=getWeather args={"city":"Lyon"} pace_ms=0]] The weather?';
  const question = (page) => page.getByTestId("approval");
  const state = (page) => page.getByTestId("tool").locator(".fold-state");

  check("runs when it is allowed, and the same answer goes on", async ({ page }) => {
    await send(page, ASKING);
    await question(page).getByText("May getWeather run with city “Paris”?").waitFor();
    await rests(page);
    await page.getByTestId("announcer").getByText("Skein asks whether getWeather may run.").waitFor({ state: "attached" });
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      assert.deepEqual(await violations(page), [], colorScheme);
      await world.browser.picture(page, `approval-${colorScheme}`);
    }
    const id = await page.getByTestId("message-assistant").getAttribute("data-id");
    await page.getByTestId("approve").click();
    await page.getByTestId("weather").getByText("Paris").waitFor();
    await page.getByTestId("answer-text").waitFor();
    await rests(page);
    await state(page).getByText("done").waitFor();
    assert.equal(await page.getByTestId("message-assistant").count(), 1);
    assert.equal(await page.getByTestId("message-assistant").getAttribute("data-id"), id);
    const words = await page.getByTestId("weather").innerText();
    assert.match(words, /21 °C/);
    assert.match(words, /10 to 22 °C/);
    assert.match(words, /13:00\s+17°/);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      assert.deepEqual(await violations(page), [], colorScheme);
      await world.browser.picture(page, `weather-${colorScheme}`);
    }
    await page.reload();
    await page.getByTestId("weather").getByText("Paris").waitFor();
  });

  check("does not run when it is denied, and the model is told", async ({ page }) => {
    await send(page, ASKING);
    await page.getByTestId("deny").focus();
    await page.keyboard.press("Enter");
    await state(page).getByText("denied").waitFor();
    await page.getByTestId("answer-text").waitFor();
    await rests(page);
    assert.equal(await page.getByTestId("weather").count(), 0);
    const [, answer] = await (await asReader(page, world.skein)).messages(openChat(page));
    assert.equal(answer.parts.find((part) => part.toolCallId).state, "output-denied");
    await page.reload();
    await state(page).getByText("denied").waitFor();
    assert.equal(await question(page).count(), 0);
  });

  check("still waits after a reload, in every tab", async ({ page, context }) => {
    await send(page, ASKING);
    await question(page).waitFor();
    await rests(page);
    await page.reload();
    await question(page).waitFor();
    const second = await openPage(context, page.url());
    await question(second).waitFor();
    await second.getByTestId("approve").click();
    for (const tab of [page, second]) {
      await tab.getByTestId("weather").waitFor();
      await tab.getByTestId("answer-text").waitFor();
      await rests(tab);
      assert.equal((await answers(tab)).length, 1);
    }
  });

  check("waits until every call of the answer has its own", async ({ page }) => {
    await send(page, TWICE);
    await question(page).nth(1).waitFor();
    await rests(page);
    await page.getByTestId("approve").first().click();
    await state(page).first().getByText("allowed").waitFor();
    assert.equal(await question(page).count(), 1);
    await page.getByTestId("deny").click();
    await page.getByTestId("answer-text").waitFor();
    await rests(page);
    assert.deepEqual(await state(page).allInnerTexts(), ["done", "denied"]);
    assert.equal(await page.getByTestId("weather").count(), 1);
  });

  check("is left behind when the reader says something else", async ({ page }) => {
    await send(page, ASKING);
    await question(page).waitFor();
    await rests(page);
    await ask(page, '[[mock: text="Never mind, then." pace_ms=0]] Something else.');
    await page.getByTestId("answer-text").getByText("Never mind, then.").waitFor();
    assert.equal(await page.getByTestId("approve").count(), 0, "there is nothing to answer any more");
  });
});

// Chromium over the console, with an eye on everything that must not happen on any page.

import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Starts the browser that SKEIN_CHROMIUM names. */
export async function startBrowser() {
  const executablePath = process.env.SKEIN_CHROMIUM;
  if (!executablePath) throw new Error("SKEIN_CHROMIUM must name the browser: run these tests with `cargo xtask test`");
  const home = await mkdtemp(join(tmpdir(), "skein-browser-"));
  const shots = process.env.SKEIN_SCREENSHOTS ?? home;
  const browser = await chromium.launch({ executablePath, args: FLAGS, env: { PATH: process.env.PATH, HOME: home } });
  return {
    /** Opens a visitor of the page at `url`, who shares nothing with any other. It may ask the origins of `also` too. */
    visit: async (url, { also = [], ...options } = {}) => {
      // Without motion a colour is never on its way to another one while it is looked at.
      const still = { viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" };
      const context = await browser.newContext({ ...still, ...options });
      const visitor = { context, faults: [] };
      await context.exposeBinding("policyViolated", (_, what) => visitor.faults.push(`against the policy: ${what}`));
      await context.addInitScript(() =>
        document.addEventListener("securitypolicyviolation", (event) =>
          globalThis.policyViolated(`${event.effectiveDirective} ${event.blockedURI}`),
        ),
      );
      context.on("request", (request) => {
        const to = new URL(request.url());
        const local = ["data:", "blob:"].includes(to.protocol) || [new URL(url).origin, ...also].includes(to.origin);
        if (!local) visitor.faults.push(`a request to ${to.origin}`);
      });
      context.on("weberror", (fault) => visitor.faults.push(`an uncaught error: ${fault.error()}`));
      context.on("console", (line) => {
        if (line.type() === "error") visitor.faults.push(`on the console: ${line.text()} ${line.location().url}`);
      });
      return { ...visitor, page: await openPage(context, url) };
    },
    /** Keeps a picture of `page` in the folder that SKEIN_SCREENSHOTS names, or in a temporary one. */
    picture: (page, name) => page.screenshot({ path: join(shots, `${name}.png`) }),
    stop: async () => {
      await browser.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Opens another tab of a visitor. */
export async function openPage(context, url) {
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  await page.goto(url);
  await page.getByTestId("composer").waitFor();
  return page;
}

/** What axe-core finds on `page`, one line each; text has to reach the contrast of AAA. */
export async function violations(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { rules: { "color-contrast-enhanced": { enabled: true } } }),
  );
  return violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.target.join(" ")}`));
}

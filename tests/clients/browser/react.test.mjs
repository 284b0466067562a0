// The React hook of `@ai-sdk/react` in Chromium, on a page shaped like the template's that another origin serves: its
// requests carry a token and need Skein's leave to be made.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { startBrowser } from "../support/browser.mjs";
import { look, serveFrontend } from "../support/frontend.mjs";
import { ASKED, SCENARIOS, UNASKED, visitor } from "../support/scenarios.mjs";
import { freePort } from "../support/servers.mjs";
import { VERSIONS, chunksFor, reactFor } from "../support/versions.mjs";
import { startWorld } from "../support/world.mjs";

/** What Chromium writes to its console when an answer is no success, which the page cannot prevent. */
const REFUSED = /^on the console: Failed to load resource: the server responded with a status of 4/;

const port = await freePort();
let frontend;
let browser;

before(async () => {
  frontend = await serveFrontend(VERSIONS, port);
  browser = await startBrowser();
});

after(async () => {
  await browser?.stop();
  await frontend?.stop();
});

for (const name of VERSIONS) {
  const chunks = chunksFor(name);

  describe(reactFor(name), () => {
    const world = startWorld({ SKEIN_AI_SDK_CHUNKS: chunks, CORS_ORIGINS: `http://127.0.0.1:${port}` });
    for (const [what, scenario] of Object.entries({ ...SCENARIOS, ...(chunks === "all" ? UNASKED : ASKED) })) {
      test(what, async () => {
        const visitors = [];
        const visit = visitor(world, async (session) => {
          const visiting = await browser.visit(frontend.page(name, session), { also: [session.api] });
          visitors.push(visiting);
          return handsOn(visiting.page);
        });
        try {
          await scenario({ visit, world, name });
          for (const { faults } of visitors) assert.deepEqual(faults.filter((fault) => !REFUSED.test(fault)), []);
        } finally {
          for (const { context } of visitors) await context.close();
        }
      });
    }
  });
}

/** What the scenarios do with a page. */
function handsOn(page) {
  const requests = [];
  page.on("request", (request) => requests.push(`${request.method()} ${new URL(request.url()).pathname}`));
  return {
    requests,
    look: () => page.evaluate(`(${look})(document)`),
    click: (id) => page.getByTestId(id).last().click(),
    fill: (text) => page.getByTestId("composer").fill(text),
    reload: () => page.reload(),
    pause: () => page.waitForTimeout(10),
  };
}

// The React hook of `@ai-sdk/react` against the real server, on a page shaped like the template's, in strict mode.

import { describe, test } from "node:test";

import { loadPage } from "../support/dom.mjs";
import { ASKED, SCENARIOS, UNASKED, visitor } from "../support/scenarios.mjs";
import { VERSIONS, chunksFor, reactFor } from "../support/versions.mjs";
import { startWorld } from "../support/world.mjs";

for (const name of VERSIONS) {
  const chunks = chunksFor(name);

  describe(reactFor(name), async () => {
    const world = startWorld({ SKEIN_AI_SDK_CHUNKS: chunks });
    const pages = await loadPage(name);
    for (const [what, scenario] of Object.entries({ ...SCENARIOS, ...(chunks === "all" ? UNASKED : ASKED) })) {
      test(what, async () => {
        const opened = [];
        const visit = visitor(world, async (session) => {
          const page = await pages.open(session);
          opened.push(page);
          return page;
        });
        try {
          await scenario({ visit, world, name });
        } finally {
          for (const page of opened) await page.close();
        }
      });
    }
  });
}

// The page in jsdom: the bundle runs in this process, with this process's own fetch.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";

import { JSDOM } from "jsdom";

import { bundle, look } from "./frontend.mjs";

const { window } = new JSDOM("<!doctype html>", { url: "http://localhost:3000/", pretendToBeVisual: true });
// React looks for them when it is loaded.
Object.assign(globalThis, { window, document: window.document });

/** Loads the page with the hook that belongs to the package `name`; `open` renders it. */
export async function loadPage(name) {
  const folder = mkdtempSync(join(tmpdir(), "skein-page-"));
  const file = join(folder, `${name}.mjs`);
  writeFileSync(file, await bundle(name));
  const { mount } = await import(pathToFileURL(file));
  rmSync(folder, { recursive: true });
  return { open: async (session) => open(mount, session) };
}

async function open(mount, session) {
  const { document } = window;
  const requests = [];
  const root = document.createElement("div");
  let leave;
  const render = () => {
    const left = new AbortController();
    const pending = [];
    const ask = (input, init = {}) => {
      const { pathname } = new URL(input);
      // What was given up before it was asked for never leaves a browser.
      if (!init.signal?.aborted) requests.push(`${init.method ?? "GET"} ${pathname}`);
      if (pathname.startsWith("/api/chat")) {
        // Leaving a page ends its streams, as a browser does.
        const signals = [left.signal, init.signal].filter(Boolean);
        return fetch(input, { ...init, signal: AbortSignal.any(signals) });
      }
      const whole = fetch(input, init).then(async (answer) => new Response(await answer.arrayBuffer(), answer));
      pending.push(whole);
      return whole;
    };
    document.body.replaceChildren(root);
    const unmount = mount(root, session, ask);
    leave = async () => {
      unmount();
      left.abort();
      await Promise.allSettled(pending);
    };
  };
  render();
  const element = (id) => {
    const found = document.querySelectorAll(`[data-testid=${id}]`);
    if (found.length === 0) throw new Error(`there is no ${id} on the page`);
    return found[found.length - 1];
  };
  return {
    requests,
    look: async () => look(document),
    click: async (id) => element(id).click(),
    fill: async (text) => {
      element("composer").value = text;
    },
    reload: async () => {
      await leave();
      render();
    },
    close: () => leave(),
    pause: () => pause(5),
  };
}

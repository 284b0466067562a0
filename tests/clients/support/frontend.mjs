// The page of `page/chat.jsx`, bundled with one version of the React hook, and what can be seen on it.

import { once } from "node:events";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { buildFor, reactFor } from "./versions.mjs";

const HERE = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Bundles the page with the hook that belongs to the package `name`, and with the very `ai` that this hook brings;
 * returns the module's text.
 */
export async function bundle(name) {
  const hook = join(HERE, "node_modules", reactFor(name));
  const { outputFiles } = await build({
    entryPoints: [join(HERE, "page/chat.jsx")],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2023",
    jsx: "automatic",
    define: { "process.env.NODE_ENV": JSON.stringify(buildFor(name)) },
    logLevel: "error",
    plugins: [
      {
        name: "versions",
        setup(build) {
          build.onResolve({ filter: /^@ai-sdk\/react$/ }, ({ kind }) =>
            build.resolve(hook, { kind, resolveDir: HERE }),
          );
          build.onResolve({ filter: /^ai$/ }, ({ kind, pluginData }) =>
            pluginData === "found" ? undefined : build.resolve("ai", { kind, resolveDir: hook, pluginData: "found" }),
          );
        },
      },
    ],
  });
  return outputFiles[0].text;
}

/** Serves a page for each version `names` on `port`, which makes it another origin than Skein's. */
export async function serveFrontend(names, port) {
  const modules = new Map();
  for (const name of names) modules.set(`/${name}.js`, await bundle(name));
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://localhost");
    const module = modules.get(pathname);
    if (module) return void response.setHeader("content-type", "text/javascript").end(module);
    if (pathname !== "/") return void response.writeHead(204).end();
    const session = JSON.stringify(Object.fromEntries(searchParams));
    response.setHeader("content-type", "text/html; charset=utf-8").end(
      `<!doctype html><title>Chat</title><div id="root"></div><script type="module">
       import { mount } from "/${searchParams.get("with")}.js";
       mount(document.getElementById("root"), ${session.replaceAll("<", "\\u003c")});
       </script>`,
    );
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    /** The address of a chat's page. */
    page: (name, session) => `http://127.0.0.1:${port}/?${new URLSearchParams({ with: name, ...session })}`,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** What is on the page of a document. It runs in the browser too, so it uses nothing from outside. */
export function look(document) {
  const all = (from, id) => [...from.querySelectorAll(`[data-testid=${id}]`)];
  const text = (id) => all(document, id)[0]?.textContent ?? "";
  const artifact = all(document, "artifact")[0];
  return {
    status: text("status"),
    error: text("error"),
    title: text("title"),
    messages: all(document, "message").map((message) => ({
      id: message.dataset.id,
      role: message.dataset.role,
      text: all(message, "text").map((part) => part.textContent).join(""),
      tools: all(message, "tool").map((tool) => ({
        name: tool.dataset.name,
        state: tool.dataset.state,
        shows: tool.querySelector("p")?.textContent ?? "",
      })),
    })),
    artifact: artifact && {
      kind: artifact.dataset.kind,
      title: artifact.querySelector("h2").textContent,
      done: artifact.dataset.done === "true",
      written: text("written"),
      stored: text("stored"),
    },
  };
}

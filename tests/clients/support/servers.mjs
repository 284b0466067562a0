// Servers for the tests: the real binary on a free port with a data folder of its own, and a model server behind it.
// Each is stopped by its process id, at the latest when the test process ends.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const START_MS = 20_000;
const STOP_MS = 10_000;

/** Every process that still runs and every folder that is left, so that none outlives the tests. */
const running = new Set();
const folders = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A port that nobody listens on. */
export async function freePort() {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** The MongoDB database that belongs to each data folder, so that a server which comes back finds its data. */
const databases = new Map();

/**
 * Starts Skein and waits until it is ready. Without `mock` it has no model and answers as the demo. Its store is SQLite
 * in `dataDir`, or a database of its own of the MongoDB that SKEIN_TEST_MONGODB_URI names.
 *
 * @param {{ mock?: { url: string }, env?: Record<string, string>, dataDir?: string, port?: number }} options
 */
export async function startSkein({ mock, env = {}, dataDir, port } = {}) {
  const program = required("SKEIN_BIN");
  const folder = newFolder("skein-test-");
  const data = dataDir ?? join(folder, "data");
  const chosen = port ?? (await freePort());
  const upstream = mock ? { OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: "test-key", SKEIN_MODEL: "mock" } : {};
  const store = databaseFor(data);
  const server = await start(program, [], {
    folder,
    url: `http://127.0.0.1:${chosen}`,
    path: "/ready",
    env: { SKEIN_BIND: `127.0.0.1:${chosen}`, SKEIN_DATA_DIR: data, ...store, ...upstream, ...env },
  });
  return { ...server, port: chosen, dataDir: data };
}

/**
 * Starts mock-llm. What it answers is chosen by the directives in the user's message; see the crate's README. `words`
 * are more words of its command line.
 */
export async function startMock(words = []) {
  const port = await freePort();
  const mock = await start(required("MOCK_LLM_BIN"), ["--port", String(port), ...words], {
    folder: newFolder("mock-llm-test-"),
    url: `http://127.0.0.1:${port}`,
    path: "/v1/models",
    env: {},
  });
  const stats = async () => (await fetch(`${mock.url}/__mock/stats`)).json();
  return {
    ...mock,
    /** How many requests it has had, and how they ended. */
    stats,
    /**
     * Waits until `count` of its answers have been hung up on, a second at most, and returns when the last one was, as
     * `Date.now()` counts.
     */
    hungUp: async (count) => {
      const deadline = Date.now() + 1_000;
      for (;;) {
        const { hung_up: hungUp, hang_ups: hangUps } = await stats();
        if (hungUp >= count) return Date.now() - Math.min(...hangUps.map((each) => each.ms_ago));
        if (Date.now() > deadline) throw new Error("the upstream's connection stays open");
        await pause(5);
      }
    },
  };
}

/** A new guest of `skein`: its token, and calls that carry it. */
export async function guest(skein) {
  const answer = await fetch(`${skein.url}/api/auth/guest`, { method: "POST" });
  if (answer.status !== 200) throw new Error(`POST /api/auth/guest was answered with ${answer.status}`);
  const { access_token: token } = await answer.json();
  return caller(skein, token);
}

/** The calls of whoever holds `token`. */
export function caller(skein, token) {
  const headers = { authorization: `Bearer ${token}` };
  const call = async (method, path) => {
    const answer = await fetch(skein.url + path, { method, headers });
    return { status: answer.status, body: await answer.json() };
  };
  return {
    token,
    headers,
    call,
    /** The stored messages of a conversation. */
    messages: async (chat) => (await call("GET", `/api/messages?chatId=${chat}`)).body.messages,
    /** Sends a text and returns its answer's whole stream. */
    say: async (chat, text) => {
      const message = { id: crypto.randomUUID(), role: "user", parts: [{ type: "text", text }] };
      const body = JSON.stringify({ id: chat, message });
      const answer = await fetch(`${skein.url}/api/chat`, { method: "POST", headers, body });
      if (answer.status !== 200) throw new Error(`POST /api/chat was answered with ${answer.status}`);
      return answer.text();
    },
    /** Waits until a search finds so many messages: the index takes them in soon after they are stored, not with them. */
    indexed: async (words, least) => {
      const path = `/api/search?q=${encodeURIComponent(words)}`;
      while ((await call("GET", path)).body.results.length < least);
    },
    /** Stops the run of a conversation. */
    stop: (chat) => call("POST", `/api/chat/${chat}/stop`),
  };
}

async function start(program, words, { folder, url, path, env }) {
  const log = join(folder, "log");
  const output = openSync(log, "a");
  // Nothing of the developer's own settings may reach the server, so it gets a bare environment and an empty folder.
  const bare = { PATH: process.env.PATH, HOME: folder, ...env };
  const child = spawn(program, words, { cwd: folder, env: bare, stdio: ["ignore", output, output] });
  running.add(child);
  let ended;
  const exit = new Promise((resolve) => {
    child.once("error", (fault) => resolve((ended = String(fault))));
    child.once("exit", (code, signal) => resolve((ended = `ended with ${code ?? signal}`)));
  }).finally(() => running.delete(child));
  const tail = () => readFileSync(log, "utf8").split("\n").slice(-20).join("\n");

  const deadline = Date.now() + START_MS;
  while (!(await answers(url + path))) {
    if (ended) throw new Error(`${program} ${ended} before it was ready:\n${tail()}`);
    if (Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`${program} does not answer GET ${path}:\n${tail()}`);
    }
    await pause(20);
  }
  return {
    url,
    pid: child.pid,
    /** Fails when it has ended by itself, with the end of its log. */
    checkAlive: () => {
      if (ended) throw new Error(`${program} ${ended}:\n${tail()}`);
    },
    /** Ends it as a crash does; its folder stays until the tests end. */
    kill: async () => {
      child.kill("SIGKILL");
      await exit;
    },
    /** Ends it as an operator does, and removes its folder. */
    stop: async () => {
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      await exit;
      clearTimeout(late);
      rmSync(folder, { recursive: true, force: true });
      folders.delete(folder);
    },
  };
}

function databaseFor(data) {
  const uri = process.env.SKEIN_TEST_MONGODB_URI;
  if (!uri) return {};
  if (!databases.has(data)) databases.set(data, `clients_${crypto.randomUUID().replaceAll("-", "")}`);
  return { MONGODB_URI: uri, MONGODB_DB_NAME: databases.get(data) };
}

function newFolder(prefix) {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  folders.add(folder);
  return folder;
}

async function answers(url) {
  try {
    const answer = await fetch(url);
    await answer.arrayBuffer();
    return answer.status === 200;
  } catch {
    return false;
  }
}

function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} must name the program to test: run these tests with \`cargo xtask test\``);
  return value;
}

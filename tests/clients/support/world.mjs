// What most files of client tests start before their tests and stop after them.

import { after, before } from "node:test";

import { openChat } from "./chat.mjs";
import { guest as newGuest, startMock, startSkein } from "./servers.mjs";
import { startWeather } from "./weather.mjs";

/**
 * Starts a model, a weather service and a server with the settings `env`, and signs a guest in. Its members are there
 * when the tests run.
 */
export function startWorld(env = {}) {
  const world = {
    /** A page of the package `ai`; see `openChat`. */
    open: (ai, options = {}) => openChat(ai, { url: world.skein.url, guest: world.guest, ...options }),
    /** The stored messages of a conversation: role and id of each. */
    stored: async (id) => (await world.guest.messages(id)).map((message) => [message.role, message.id]),
  };
  const settings = () => ({ mock: world.mock, env: { ...world.weather.env, ...env } });
  /** Kills the server, as a crash does, and starts it again with its data and where it was. */
  world.restart = async () => {
    const { dataDir, port, kill } = world.skein;
    await kill();
    world.skein = await startSkein({ ...settings(), dataDir, port });
  };
  before(async () => {
    // Its texts come word by word and no slower than they can be read by a program.
    world.mock = await startMock(["--pace-ms", "1"]);
    world.weather = await startWeather();
    world.skein = await startSkein(settings());
    world.guest = await newGuest(world.skein);
  });
  after(async () => {
    await world.skein?.stop();
    await world.weather?.stop();
    await world.mock?.stop();
  });
  return world;
}

/** The messages on a page: role and id of each. */
export const onPage = (page) => page.chat.messages.map((message) => [message.role, message.id]);

/** The directive with which the model calls a tool, once. */
export const calling = (name, input, ...more) =>
  `[[mock: ${[`tool=${name}`, `args=${JSON.stringify(input)}`, ...more].join(" ")}]]`;

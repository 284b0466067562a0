// @ts-check
// Whom the page acts as: a guest until the reader signs in. The bearer token is renewed when the server refuses it, which only
// one tab may do, since a refresh token is good for one use.

import { send, toError, withJson } from "./http.js";
import { recall, remember } from "./storage.js";

/** @typedef {import("./types/shapes.js").User} User */
/** @typedef {import("./types/shapes.js").SignInAnswer} SignInAnswer */

/**
 * How the page came to act as someone: `first` when nobody was known before, `same` for the one it acted as already, `other`
 * for another one, and `lost` for a guest in place of someone whose session has ended.
 * @typedef {"first" | "same" | "other" | "lost"} Change
 */

export class Session {
  /** Called whenever the page acts as somebody anew. @type {(user: User, change: Change) => void} */
  onUser = () => {};

  /** @type {Promise<string> | null} */
  #making = null;

  /** Whom the page acts as now. @type {string | null} */
  #actsAs = storedUser()?.id ?? null;

  constructor() {
    // Another tab has signed in or out.
    addEventListener("storage", (event) => {
      const user = storedUser();
      if (event.key === "skein.user" && user) this.#act(user, "other");
    });
  }

  /**
   * Returns a token: the known one, a renewed one, or a new guest's. `stale` is a token that the server refused.
   * @param {string | null} [stale]
   * @returns {Promise<string>}
   */
  async token(stale = null) {
    const known = recall("token");
    if (known !== null && known !== stale) return known;
    this.#making ??= alone(() => this.#renew(stale)).finally(() => (this.#making = null));
    return this.#making;
  }

  /**
   * Signs in, or makes an account, which takes over what a guest has.
   * @param {"login" | "register"} how
   * @param {{ email: string, password: string }} credentials
   */
  async signIn(how, credentials) {
    const init = withJson("POST", credentials);
    const user = storedUser();
    if (how === "register" && user?.type === "guest") {
      // A token that has run out would make the account without the guest's conversations.
      await this.#check();
      init.headers["authorization"] = `Bearer ${await this.token()}`;
    }
    const response = await send(`/api/auth/${how}`, init);
    if (!response.ok) throw await toError(response);
    this.#keep(await response.json(), "other");
  }

  /** Signs out and goes on as a new guest. */
  async signOut() {
    const token = recall("token");
    const init = withJson("POST", { refresh_token: recall("refresh") ?? "" });
    if (token !== null) init.headers["authorization"] = `Bearer ${token}`;
    const response = await send("/api/auth/logout", init);
    if (!response.ok) throw await toError(response);
    await alone(async () => {
      this.#forget();
      await this.#makeGuest("other");
    });
  }

  /** Asks the server whether the token is good, and renews it when it is not. */
  async #check() {
    const token = await this.token();
    const response = await send("/api/auth/me", { headers: { authorization: `Bearer ${token}` } });
    if (response.status === 401) await this.token(token);
  }

  /**
   * @param {string | null} stale
   * @returns {Promise<string>}
   */
  async #renew(stale) {
    // Another tab may have renewed it while this tab waited for its turn.
    const known = recall("token");
    if (known !== null && known !== stale) return known;
    const refresh = recall("refresh");
    if (refresh !== null) {
      const response = await send("/api/auth/refresh", withJson("POST", { refresh_token: refresh }));
      if (response.ok) return this.#keep(await response.json(), "other");
      if (response.status !== 400 && response.status !== 401) throw await toError(response);
    }
    const lost = storedUser()?.type === "regular";
    this.#forget();
    return this.#makeGuest(lost ? "lost" : "other");
  }

  /**
   * @param {"other" | "lost"} change
   * @returns {Promise<string>}
   */
  async #makeGuest(change) {
    const response = await send("/api/auth/guest", { method: "POST" });
    if (!response.ok) throw await toError(response);
    return this.#keep(await response.json(), change);
  }

  /**
   * @param {SignInAnswer} answer
   * @param {"other" | "lost"} change
   */
  #keep(answer, change) {
    remember("token", answer.access_token);
    remember("refresh", answer.refresh_token ?? null);
    remember("user", JSON.stringify(answer.user));
    this.#act(answer.user, change);
    return answer.access_token;
  }

  /**
   * @param {User} user
   * @param {"other" | "lost"} change unless it is the same user, or the first
   */
  #act(user, change) {
    const before = this.#actsAs;
    this.#actsAs = user.id;
    if (before === user.id) this.onUser(user, "same");
    else this.onUser(user, before === null ? "first" : change);
  }

  #forget() {
    for (const key of ["token", "refresh", "user"]) remember(key, null);
  }
}

/** @returns {User | null} the user that the stored token belongs to */
export function storedUser() {
  return parse(recall("user"));
}

/**
 * @param {string | null} text
 * @returns {User | null}
 */
function parse(text) {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

/**
 * Does something that no two tabs may do at once. Locks exist only on https and localhost; elsewhere tabs may meet, and the
 * later one then signs in as a guest.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function alone(work) {
  return navigator.locks ? await navigator.locks.request("skein.session", work) : await work();
}

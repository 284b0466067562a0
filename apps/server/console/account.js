// @ts-check
// Signing in, up and out.

import { byId } from "./dom.js";
import { ApiError } from "./http.js";

/** @typedef {"register" | "login"} How */

export class Account {
  #dialog = /** @type {HTMLDialogElement} */ (byId("account-dialog"));
  #failed = byId("account-failed");
  #forms = {
    register: /** @type {HTMLFormElement} */ (byId("register-form")),
    login: /** @type {HTMLFormElement} */ (byId("login-form")),
  };
  #busy = false;

  /**
   * @param {import("./session.js").Session} session
   * @param {import("./store.js").Store} store
   */
  constructor(session, store) {
    this.session = session;
    this.store = store;
    store.on(["user"], () => this.#drawUser());
    byId("user").addEventListener("click", () => this.open());
    byId("to-login").addEventListener("click", () => this.#show("login"));
    byId("to-register").addEventListener("click", () => this.#show("register"));
    byId("sign-out").addEventListener("click", () => void this.#try(() => session.signOut()));
    for (const how of /** @type {How[]} */ (["register", "login"])) {
      this.#forms[how].addEventListener("submit", (event) => {
        event.preventDefault();
        void this.#send(how);
      });
    }
    for (const close of this.#dialog.querySelectorAll(".account-close")) close.addEventListener("click", () => this.#dialog.close());
    this.#drawUser();
  }

  /**
   * Opens the dialog.
   * @param {string} [why] a sentence that says why it is open
   */
  open(why = "") {
    const guest = this.store.state.user?.type !== "regular";
    byId("account-signed-in").hidden = guest;
    byId("account-why").textContent = why;
    byId("account-why").hidden = why === "";
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#show(guest ? (why === "" ? "register" : "login") : null);
  }

  /** @param {How | null} how */
  #show(how) {
    this.#fail("");
    this.#forms.register.hidden = how !== "register";
    this.#forms.login.hidden = how !== "login";
    byId("login-leaves").hidden = this.store.state.chats.length === 0;
    const titles = { register: "Create an account", login: "Sign in" };
    byId("account-heading").textContent = how === null ? "Your account" : titles[how];
    if (how !== null) this.#field(how, "email").focus();
  }

  /** @param {How} how */
  async #send(how) {
    const email = this.#field(how, "email").value.trim();
    const password = this.#field(how, "password").value;
    if (email === "" || password === "") {
      this.#fail("Please give an e-mail address and a password.", how, email === "" ? "email" : "password");
      return;
    }
    await this.#try(() => this.session.signIn(how, { email, password }), how);
  }

  /**
   * @param {() => Promise<void>} work
   * @param {How} [how]
   */
  async #try(work, how) {
    if (this.#busy) return;
    this.#busy = true;
    this.#dialog.setAttribute("aria-busy", "true");
    this.#fail("");
    try {
      await work();
      for (const form of Object.values(this.#forms)) form.reset();
      this.#dialog.close();
    } catch (error) {
      this.#fail(wordsOf(error, how), how, error instanceof ApiError && error.detail.startsWith("password") ? "password" : "email");
    } finally {
      this.#busy = false;
      this.#dialog.removeAttribute("aria-busy");
    }
  }

  /**
   * Says what went wrong, or takes it back.
   * @param {string} words
   * @param {How} [how]
   * @param {"email" | "password"} [field] the one to correct
   */
  #fail(words, how, field) {
    this.#failed.textContent = words;
    this.#failed.hidden = words === "";
    for (const input of this.#dialog.querySelectorAll("input")) input.removeAttribute("aria-invalid");
    if (words === "" || !how || !field) return;
    this.#field(how, field).setAttribute("aria-invalid", "true");
    this.#field(how, field).focus();
  }

  /**
   * @param {How} how
   * @param {string} name
   */
  #field(how, name) {
    return /** @type {HTMLInputElement} */ (byId(`${how}-${name}`));
  }

  #drawUser() {
    const { user } = this.store.state;
    const guest = user?.type !== "regular";
    byId("user-name").textContent = user ? (guest ? "Guest" : user.email) : "";
    byId("user-hint").textContent = guest ? "Sign in" : "Account";
    byId("user").hidden = user === null;
    byId("account-email").textContent = user?.email ?? "";
  }
}

/**
 * @param {unknown} error
 * @param {How} [how]
 */
function wordsOf(error, how) {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  if (error.status === 401 && how === "login") return "The e-mail address or the password is wrong.";
  if (error.status !== 400 || error.detail === "") return error.message;
  const { field = "", what = "" } = /^(?<field>\w+): (?<what>.*)$/s.exec(error.detail)?.groups ?? {};
  const names = /** @type {Record<string, string>} */ ({ email: "E-mail address", password: "Password" });
  return names[field] ? `${names[field]}: ${what}.` : `${error.detail}.`;
}

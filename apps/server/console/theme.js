// @ts-check
// Light or dark: the system's choice until the reader makes one, which is remembered.

import { byId, icon } from "./dom.js";
import { recall, remember } from "./storage.js";

const system = matchMedia("(prefers-color-scheme: dark)");

/** Makes the button work that switches between light and dark. */
export function startTheme() {
  const button = byId("theme-toggle");
  const draw = () => {
    const next = current() === "dark" ? "light" : "dark";
    button.replaceChildren(icon(next === "dark" ? "moon" : "sun"));
    button.setAttribute("aria-label", `Switch to the ${next} theme`);
    button.title = `Switch to the ${next} theme`;
  };
  button.addEventListener("click", () => {
    const next = current() === "dark" ? "light" : "dark";
    document.documentElement.dataset["theme"] = next;
    remember("theme", next);
    draw();
  });
  system.addEventListener("change", draw);
  // Another tab has switched.
  addEventListener("storage", (event) => {
    const theme = recall("theme");
    if (event.key !== "skein.theme" || (theme !== "light" && theme !== "dark")) return;
    document.documentElement.dataset["theme"] = theme;
    draw();
  });
  draw();
}

/** @returns {"light" | "dark"} */
function current() {
  const chosen = document.documentElement.dataset["theme"];
  if (chosen === "light" || chosen === "dark") return chosen;
  return system.matches ? "dark" : "light";
}

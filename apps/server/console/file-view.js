// @ts-check
// A file of a message. A picture is shown when it comes from this server or stands in the message itself; any other host would
// learn who reads the conversation, so its address is a link.

import { h } from "./dom.js";

/**
 * @param {import("./types/shapes.js").Part} part
 * @returns {HTMLElement}
 */
export function fileView(part) {
  const { name } = part;
  const url = part.url ?? "";
  const mediaType = part.mediaType ?? "";
  const words = name || "Attached file";
  const own = ownAddress(url);
  if (own !== null && mediaType.startsWith("image/")) {
    const image = h("img", { src: own, alt: words, class: "file-image", loading: "lazy", "data-testid": "file-image" });
    return own.startsWith("data:") ? image : h("a", { href: own, target: "_blank", rel: "noopener", class: "file-frame" }, image);
  }
  if (/^https?:/i.test(url)) return h("a", { href: url, target: "_blank", rel: "noopener noreferrer", "data-testid": "file-link" }, words);
  return h("span", {}, words);
}

/**
 * The address under which the page may load a file, or null.
 * @param {string} url
 * @returns {string | null}
 */
export function ownAddress(url) {
  if (/^data:image\/(png|jpeg);base64,/i.test(url)) return url;
  try {
    const parsed = new URL(url);
    return parsed.origin === location.origin ? parsed.href : null;
  } catch {
    return null;
  }
}

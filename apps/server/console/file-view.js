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
  if (own === null || !mediaType.startsWith("image/")) return link(url, words);
  const image = h("img", { src: own, alt: words, class: "file-image", loading: "lazy", "data-testid": "file-image" });
  const view = own.startsWith("data:") ? image : h("a", { href: own, target: "_blank", rel: "noopener", class: "file-frame" }, image);
  // It only looked like one of this server's.
  image.addEventListener("error", () => view.replaceWith(link(url, words)));
  return view;
}

/**
 * @param {string} url
 * @param {string} words
 */
function link(url, words) {
  if (!/^https?:/i.test(url)) return h("span", {}, words);
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer", "data-testid": "file-link" }, words);
}

/** Where the server gives what was brought to it. */
const BLOBS = "/api/files/blob/";

/**
 * The address under which the page may load a file, or null. The server may have more names than the one that the page was
 * opened by, so what looks like a file of it is looked for here.
 * @param {string} url
 * @returns {string | null}
 */
export function ownAddress(url) {
  if (/^data:image\/(png|jpeg);base64,/i.test(url)) return url;
  try {
    const parsed = new URL(url);
    return parsed.pathname.startsWith(BLOBS) ? parsed.pathname : null;
  } catch {
    return null;
  }
}

// @ts-check

/**
 * Makes the children of `shown` equal to those of `wanted`, leaving alone the nodes that are equal already. Text that has only
 * grown is appended to, so that a selection in it stays.
 * @param {Node} shown
 * @param {Node} wanted
 */
export function morph(shown, wanted) {
  let old = shown.firstChild;
  let next = wanted.firstChild;
  while (next) {
    const following = next.nextSibling;
    if (!old) {
      shown.appendChild(next);
    } else if (old.nodeType !== next.nodeType || old.nodeName !== next.nodeName) {
      const after = old.nextSibling;
      shown.replaceChild(next, old);
      old = after;
    } else {
      if (old instanceof Text && next instanceof Text) morphText(old, next.data);
      else if (old instanceof Element && next instanceof Element && !old.isEqualNode(next)) {
        morphAttributes(old, next);
        morph(old, next);
      }
      old = old.nextSibling;
    }
    next = following;
  }
  while (old) {
    const after = old.nextSibling;
    old.parentNode?.removeChild(old);
    old = after;
  }
}

/**
 * @param {Text} node
 * @param {string} data
 */
function morphText(node, data) {
  if (node.data === data) return;
  if (data.startsWith(node.data)) node.appendData(data.slice(node.data.length));
  else node.data = data;
}

/**
 * @param {Element} shown
 * @param {Element} wanted
 */
function morphAttributes(shown, wanted) {
  for (const { name } of [...shown.attributes]) {
    if (!wanted.hasAttribute(name)) shown.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (shown.getAttribute(name) !== value) shown.setAttribute(name, value);
  }
}

/* Turn one piece of the page into a newer one and touch only what differs: scroll, focus and selection stay. */

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.dataset.key : undefined);
const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

function syncAttributes(now, next) {
  const opened = (name) => name === "open" && now.nodeName === "DETAILS"; // by the reader, who goes on reading
  for (const { name } of [...now.attributes]) if (!next.hasAttribute(name) && !opened(name)) now.removeAttribute(name);
  for (const { name, value } of next.attributes) if (now.getAttribute(name) !== value) now.setAttribute(name, value);
}

function syncChildren(now, next, changed) {
  const keyed = new Map([...now.children].filter(keyOf).map((child) => [keyOf(child), child]));
  let at = now.firstChild;
  for (const wanted of [...next.childNodes]) {
    const known = keyOf(wanted) ? keyed.get(keyOf(wanted)) : at && !keyOf(at) && alike(at, wanted) ? at : null;
    if (!known) {
      now.insertBefore(wanted, at);
      if (wanted.nodeType === Node.ELEMENT_NODE) mark(wanted, changed);
      continue;
    }
    if (known === at) at = at.nextSibling;
    else now.insertBefore(known, at);
    patch(known, wanted, changed);
    keyed.delete(keyOf(wanted));
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function mark(element, changed) {
  const watched = element.closest("[data-watch], [data-watch-cells] td, [data-watch-cells] tr");
  if (watched) changed.add(watched);
}

/* Returns the watched elements whose content changed. `next` is used up. */
export function patch(now, next, changed = new Set()) {
  if (now.isEqualNode(next) || now.dataset?.drawn !== undefined) return changed; // drawn: by a script of the page
  if (now.nodeType !== Node.ELEMENT_NODE) {
    now.nodeValue = next.nodeValue;
    mark(now.parentElement, changed);
    return changed;
  }
  syncAttributes(now, next);
  syncChildren(now, next, changed);
  return changed;
}

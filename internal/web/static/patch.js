// Bringing a page up to date under somebody's hands.

const handlers = ["onclick", "onsubmit", "oninput", "onchange"];

// patch makes the children of parent be like the wanted ones. What is the same
// thing before and after stays the very element that it was, so a click that has
// begun ends where it began, and focus, what was typed, what is unfolded and how
// far it is scrolled stay. Handlers are those of the wanted elements: they reach
// other elements by the event's target, never by one they made.
export function patch(parent, wanted) {
  const gone = new Set(parent.childNodes);
  const pairs = wanted.map((node) => {
    const now = typeof node === "string" ? document.createTextNode(node) : node;
    const had = [...gone].find((n) => same(n, now));
    gone.delete(had);
    return [had, now];
  });
  for (const n of gone) n.remove();
  let at = parent.firstChild;
  for (const [had, now] of pairs) {
    if (had && had === at) at = at.nextSibling;
    else parent.insertBefore(had ?? now, at);
    if (had) become(had, now);
  }
}

// same tells whether two elements are the same thing: of the same kind and key,
// leading to the same place. One that does something also has to say the same, so
// that a press of "Cancel" can never end as one of "Undo".
function same(a, b) {
  if (a.nodeName !== b.nodeName || a.dataset?.key !== b.dataset?.key) return false;
  if (a.nodeName === "A" && a.getAttribute("href") !== b.getAttribute("href")) return false;
  return !handlers.some((n) => a[n] || b[n]) || a.textContent === b.textContent;
}

function become(had, now) {
  if (had.nodeType === Node.TEXT_NODE) {
    if (had.data !== now.data) had.data = now.data;
    return;
  }
  for (const { name } of [...had.attributes]) if (!now.hasAttribute(name) && name !== "open") had.removeAttribute(name);
  for (const { name, value } of now.attributes) if (had.getAttribute(name) !== value) had.setAttribute(name, value);
  for (const n of handlers) had[n] = now[n];
  patch(had, [...now.childNodes]);
}

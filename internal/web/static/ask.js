// Questions in the page. They are elements of it, so that keyboard, screen reader
// and colour scheme hold, and what is asked is shown as text.
import { h } from "./dom.js";

// ask shows a dialog and resolves to the text that was typed, or to null when the
// person thought better of it.
export function ask(title, { text = "", label = "Why? This is recorded.", go = "Go on", danger = false } = {}) {
  const field = h("input", { name: "why", maxlength: 500, "aria-label": label, placeholder: label, autocomplete: "off", autofocus: true });
  return new Promise((resolve) => {
    const dialog = h("dialog", { class: "ask", "aria-label": title, onclose: () => { dialog.remove(); resolve(dialog.returnValue === "go" ? field.value : null); } },
      h("h2", {}, title), text && h("p", {}, text),
      h("form", { method: "dialog" }, field, h("div", { class: "bar end" },
        h("button", { value: "go", class: danger ? "danger" : "primary" }, go), h("button", { value: "no", formnovalidate: true }, "Not now"))));
    document.body.append(dialog);
    dialog.showModal();
  });
}

// tell shows for a moment what came of something; an error stays until it is closed.
export function tell(message, { bad = false } = {}) {
  const note = h("div", { class: `toast ${bad ? "bad" : ""}`, role: bad ? "alert" : "status" }, message,
    h("button", { class: "link", onclick: () => note.remove() }, "Close"));
  document.getElementById("toasts").append(note);
  if (!bad) setTimeout(() => note.remove(), 10_000);
}

// attempt does something, returns what came of it, and tells when it does not work.
export async function attempt(what, done) {
  try {
    const got = await what();
    if (done) tell(done);
    return got;
  } catch (e) {
    tell(e.message, { bad: true });
    return undefined;
  }
}

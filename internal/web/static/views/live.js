import { h, when } from "../dom.js";

export const nav = { name: "Live", path: "/live", key: "l", order: 8, still: true };
export const pages = [[/^\/live$/, livePage]];

// The notices heard since the page was opened, newest first.
const most = 300; // a burst shall not fill the page
const notices = [];
let heardSoFar = 0;

export function heard(n) {
  notices.unshift({ at: new Date(), key: ++heardSoFar, ...n });
  notices.length = Math.min(notices.length, most);
  const list = document.getElementById("notices");
  if (list) {
    document.getElementById("quiet").hidden = true;
    list.prepend(line(notices[0]));
    while (list.children.length > most) list.lastChild.remove();
  }
}

export async function livePage() {
  return [h("h1", {}, "Live"), h("p", { class: "faint" }, "What the bus says, as it says it: edr.jobs.> and edr.results.>"),
    h("p", { id: "quiet", class: "card empty", hidden: notices.length > 0 }, "Nothing since you opened the dashboard. What happens from now on appears here; what happened before is on the pages Jobs and Events."),
    h("ol", { id: "notices", class: "timeline" }, notices.map(line))];
}

function line(n) {
  const d = n.event.data ?? {};
  const text = [d.rule, d.host || (d.sensor && `sensor ${d.sensor}`), d.uses, d.state, d.reason, d.detail || d.error].filter(Boolean).join(" · ");
  return h("li", { "data-key": n.key }, h("span", { class: "faint" }, when(n.at.toISOString()), " ", h("code", {}, n.subject)), h("details", {}, h("summary", {}, text || n.event.type), h("pre", {}, JSON.stringify(d, null, 2))));
}

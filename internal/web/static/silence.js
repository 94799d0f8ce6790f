// Silences: what keeps a rule, an endpoint or an action from acting for a while.
import { post, remove } from "./api.js";
import { ask, attempt } from "./ask.js";
import { endpointLink, h, ruleLink, table, when } from "./dom.js";

const hours = 4;

// silenceButton silences what is given for some hours.
export const silenceButton = (what, label, refresh) => h("button", {
  async onclick() {
    const comment = await ask(label, { text: `For ${hours} hours; the page Guards has other times.`, go: "Silence" });
    if (comment === null) return;
    await attempt(() => post("silences", { ...what, comment: comment || "silenced from its page", until: new Date(Date.now() + hours * 3600e3).toISOString() }), "Silenced.");
    refresh();
  },
}, label);

const end = (id, refresh) => async () => {
  await attempt(() => remove(`silences/${encodeURIComponent(id)}`), "It acts again.");
  refresh();
};

export const silenceTable = (silences, me, refresh) => table([
  { name: "What", cell: (s) => h("span", {}, [s.rule && ["rule ", ruleLink(s.rule)], s.sensor && ["endpoint ", endpointLink("", s.sensor)], s.server && `server ${s.server}`, s.tenant && `tenant ${s.tenant}`, s.action && `action ${s.action}`].filter(Boolean).flatMap((x, i) => [i ? ", " : "", x]).flat()) },
  { name: "Until", cell: (s) => when(s.until) },
  { name: "By", cell: (s) => s.author },
  { name: "Why", cell: (s) => s.comment },
  { name: "", label: h("span", { class: "unseen" }, "End it"), cell: (s) => me.role !== "viewer" && h("button", { onclick: end(s.id, refresh) }, "End") },
], silences, { key: (s) => s.id, empty: "Nothing is silenced." });

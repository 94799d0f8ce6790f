import { get } from "../api.js";
import { h, moment } from "../dom.js";
import { periods, since } from "../query.js";

export const nav = { name: "Why", path: "/why", key: "w", order: 9, still: true };
export const pages = [[/^\/why$/, why]];

export async function why({ query }) {
  const field = (name) => query.get(name) ?? "";
  const about = field("about"), days = field("days") || "0.04";
  const answer = about && await get(`why?${new URLSearchParams({ about, process: field("process"), since: since(days), limit: 50 })}`);
  const go = (e) => {
    e.preventDefault();
    location.hash = `/why?${new URLSearchParams([...new FormData(e.target.closest("form"))].filter(([, v]) => v))}`;
  };
  return [
    h("h1", {}, "Why"),
    h("form", { class: "bar", role: "search", onsubmit: go },
      h("input", { type: "search", name: "about", value: about, placeholder: "host name, event id, job id, or sensor:42", "aria-label": "what about" }),
      h("input", { type: "search", name: "process", value: field("process"), placeholder: "process (of a host)", "aria-label": "process" }),
      periods(days, (e) => e.target.form.requestSubmit()), h("button", { class: "primary" }, "Ask")),
    !about && h("p", { class: "faint" }, "Why did this happen, and why did that not? Name a host: its last events, and what became of each."),
    answer && h("ol", { class: "timeline" }, answer.lines.map((l) => h("li", {},
      h("span", { class: "faint" }, moment(l.at), " "), h("strong", {}, l.what), " ", l.text))),
    answer && answer.lines.length === 0 && h("p", {}, "Nothing is known of that."),
  ].filter(Boolean);
}

import { get } from "../api.js";
import { h } from "../dom.js";

export const nav = { name: "Why", path: "/why", key: "w", order: 9, still: true };
export const pages = [[/^\/why$/, why]];

export async function why({ query }) {
  const about = query.get("about") ?? "";
  const answer = about && await get(`why?about=${encodeURIComponent(about)}`);
  return [
    h("h1", {}, "Why"),
    h("form", { class: "bar", onsubmit: (e) => { e.preventDefault(); location.hash = `/why?about=${encodeURIComponent(e.target.about.value)}`; } },
      h("input", { type: "search", name: "about", value: about, placeholder: "event id, job id, or sensor:42", "aria-label": "what about" }), h("button", { class: "primary" }, "Ask")),
    answer && h("ol", { class: "timeline" }, answer.lines.map((l) => h("li", {},
      h("span", { class: "faint" }, l.at && !l.at.startsWith("0001") ? new Date(l.at).toLocaleString() : "", " "), h("strong", {}, l.what), " ", l.text))),
    answer && answer.lines.length === 0 && h("p", {}, "Nothing is known of that."),
  ].filter(Boolean);
}

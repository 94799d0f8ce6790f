import { get } from "../api.js";
import { endpointLink, h, linked, when } from "../dom.js";
import { answers, periods, span, to } from "../query.js";

export const nav = { name: "Why", path: "/why", key: "w", order: 9, still: true };
export const pages = [[/^\/why$/, why]];

export async function why({ query }) {
  const field = (name) => query.get(name) ?? "";
  const about = field("about");
  const asked = about || field("process");
  const answer = asked && await get(`why?${new URLSearchParams({ about, process: field("process"), ...span(query, "0.04"), limit: 50 })}`);
  const go = (e) => {
    e.preventDefault();
    location.hash = to("/why", answers(e.target.closest("form")));
  };
  return [
    h("h1", {}, "Why"),
    h("form", { class: "bar", role: "search", onsubmit: go },
      h("input", { type: "search", name: "about", value: about, placeholder: "host name, event id, job id, or sensor:42", "aria-label": "what about" }),
      h("input", { type: "search", name: "process", value: field("process"), placeholder: "process", "aria-label": "process" }),
      periods(query, "0.04"), h("button", { class: "primary" }, "Ask")),
    !asked && h("p", { class: "faint" }, "Why did this happen, and why did that not? Name a host: its last events, and what became of each."),
    answer && answer.lines.length > 0 && about && !/^[0-9a-z]{24,32}$/.test(about) && h("p", { class: "faint" }, "All that is known of it: ", endpointLink("", about.replace(/^sensor:/, ""), about)),
    answer && h("ol", { class: "timeline" }, answer.lines.map((l) => h("li", {},
      when(l.at), " ", h("strong", {}, linked(l.what)), " ", linked(l.text)))),
    answer && answer.lines.length === 0 && h("p", {}, "Nothing is known of that in this time. Choose a longer one, or write the name as the page Sensors has it."),
  ].filter(Boolean);
}

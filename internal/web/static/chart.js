import { h } from "./dom.js";

// chart draws one series as an area: enough to see a burst or a silence.
export function chart(title, values, { step, unit = "" }) {
  const w = 300, height = 80, top = Math.max(...values, 1);
  const x = (i) => (values.length < 2 ? 0 : (i * w) / (values.length - 1));
  const y = (v) => height - (v / top) * (height - 4);
  const line = values.map((v, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join("");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "chart");
  svg.setAttribute("viewBox", `0 0 ${w} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  const peak = Math.max(...values, 0);
  const total = values.reduce((a, b) => a + b, 0);
  svg.setAttribute("aria-label", `${title}: ${total} in ${span(step * values.length)}, at most ${peak} in ${span(step)}`);
  for (const [cls, d] of [["area", `${line}L${w} ${height}L0 ${height}Z`], ["stroke", line]]) {
    const p = document.createElementNS("http://www.w3.org/2000/svg", "path");
    p.setAttribute("class", cls);
    p.setAttribute("d", values.length ? d : "");
    svg.append(p);
  }
  return h("div", { class: "card" }, h("div", { class: "name" }, `${title}, last ${span(step * values.length)}`), svg,
    h("div", { class: "axis", "aria-hidden": "true" }, h("span", {}, `${span(step * values.length)} ago`), h("span", {}, "now")),
    h("div", { class: "faint" }, `${new Intl.NumberFormat().format(total)}${unit} in all, at most ${new Intl.NumberFormat().format(peak)} in ${span(step)}`));
}

const span = (s) => (s >= 3600 ? `${Math.round(s / 360) / 10} h` : s >= 60 ? `${Math.round(s / 60)} min` : `${s} s`);

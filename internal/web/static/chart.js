import { h, number } from "./dom.js";

const part = (name, attrs) => {
  const el = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [k, v] of Object.entries(attrs)) el.setAttribute(k, v);
  return el;
};

// nice is the smallest of 2, 4, 10, 20, 40, … that is not below n: the top of an axis,
// whose half is a whole number, too.
function nice(n) {
  const ten = 10 ** Math.floor(Math.log10(Math.max(n, 1)));
  return [2, 4, 10, 20].map((m) => m * ten).find((m) => m >= n);
}

const wide = 300, high = 80;

// chart draws series as lines over a common scale: [{name, values, tone}], the newest
// value last. Values before the newest `known` are not known and are left out. The end
// is the time of the newest.
export function chart(title, series, { step, end, known = Infinity }) {
  const length = Math.max(...series.map((s) => s.values.length));
  const shown = series.map((s) => s.values.slice(Math.max(0, s.values.length - known)));
  const top = nice(Math.max(1, ...shown.flat()));
  const x = (i) => (length < 2 ? 0 : (i * wide) / (length - 1)), y = (v) => high - (v / top) * high;
  const sums = series.map((s, i) => `${s.name}: ${number(shown[i].reduce((a, b) => a + b, 0))}, at most ${number(Math.max(0, ...shown[i]))} in ${span(step)}`);
  const svg = part("svg", { class: "chart", viewBox: `0 -1 ${wide} ${high + 2}`, preserveAspectRatio: "none", role: "img", "aria-label": `${title}, last ${span(step * length)}. ${sums.join(". ")}` });
  for (const at of [0, 0.5, 1]) svg.append(part("path", { class: "grid", d: `M0 ${y(top * at)}H${wide}` }));
  shown.forEach((values, n) => {
    const from = length - values.length;
    const line = values.map((v, i) => `${i ? "L" : "M"}${x(from + i).toFixed(1)} ${y(v).toFixed(1)}`).join("");
    if (!line) return;
    const tone = series[n].tone ?? "";
    if (series.length === 1) svg.append(part("path", { class: `area ${tone}`, d: `${line}V${high}H${x(from).toFixed(1)}Z` }));
    svg.append(part("path", { class: `stroke ${tone}`, d: values.length > 1 ? line : `${line}h-4` }));
  });
  const last = new Date(end), first = new Date(last - step * length * 1000);
  const day = last - first > 20 * 3600e3;
  const clock = (t) => t.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", ...(day && { weekday: "short" }) });
  const ticks = [0, 1 / 3, 2 / 3, 1].map((f) => clock(new Date(+first + f * (last - first))));
  return h("figure", { class: "card plot" },
    h("figcaption", { class: "name" }, title, h("span", { class: "faint" }, ` per ${span(step)}${known < length ? `, counted since ${clock(new Date(last - known * step * 1000))}` : ""}`)),
    h("div", { class: "ys", "aria-hidden": "true" }, [top, top / 2, 0].map((v) => h("span", {}, number(v)))), svg,
    h("div", { class: "xs", "aria-hidden": "true" }, ticks.map((t) => h("span", {}, t))),
    h("ul", { class: "legend" }, sums.map((text, i) => h("li", { class: series[i].tone ?? "" }, text))));
}

const span = (s) => (s >= 3600 ? `${Math.round(s / 360) / 10} h` : s >= 60 ? `${Math.round(s / 60)} min` : `${s} s`);

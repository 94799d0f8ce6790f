package web_test

// audit returns what keeps people from reading or reaching something on the page that is
// shown: names, roles, order, and contrast below WCAG 2.2 AA.
const audit = `(() => {
	const found = [];
	const shown = (e) => e.checkVisibility({ visibilityProperty: true });
	const say = (e, what) => found.push(what + ": " + e.outerHTML.slice(0, 160));
	const all = (s) => [...document.querySelectorAll(s)].filter(shown);

	if (/\bundefined\b|\[object |\bNaN\b|Invalid Date/.test(document.querySelector("main").innerText)) found.push("a value is missing: " + document.querySelector("main").innerText.match(/.{0,60}(undefined|\[object |NaN|Invalid Date).{0,60}/));
	if (!document.documentElement.lang) found.push("the page has no language");
	if (!document.title.includes(" – ")) found.push("the page has no title of its own: " + document.title);
	for (const landmark of ["header", "nav[aria-label]", "main"]) if (all(landmark).length !== 1) found.push("there is not one " + landmark);
	if (all("h1").length !== 1) found.push("there are " + all("h1").length + " headings of level 1");
	let level = 0;
	for (const e of all("h1, h2, h3, h4")) {
		if (+e.tagName[1] > level + 1) say(e, "a heading skips a level");
		level = +e.tagName[1];
	}
	const ids = new Map();
	for (const e of document.querySelectorAll("[id]")) ids.set(e.id, (ids.get(e.id) ?? 0) + 1);
	for (const [id, n] of ids) if (n > 1) found.push(n + " elements are called " + id);

	const nameOf = (e) => (e.getAttribute("aria-label") || (e.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ")
		|| [...(e.labels ?? [])].map((l) => l.textContent).join(" ") || (["INPUT", "SELECT", "TEXTAREA"].includes(e.tagName) ? "" : e.textContent) || e.querySelector("img")?.alt || "").trim();
	for (const e of all("a, button, input, select, textarea, summary, [role=img], [role=group], [role=search], section, dialog[open]")) {
		if (e.getAttribute("role") === "search" || e.closest("[aria-hidden=true]")) continue;
		if (e.tagName === "SECTION" && !e.hasAttribute("aria-label") && !e.hasAttribute("aria-labelledby")) continue; // then it is no landmark
		if (!nameOf(e)) say(e, "has no name");
	}
	for (const e of all("a")) if (!e.hasAttribute("href")) say(e, "a link that leads nowhere");
	for (const e of all("th")) if (!e.scope) say(e, "a heading of a table without a scope");
	for (const e of all("thead th")) if (!e.textContent.trim()) say(e, "a column without a name");
	for (const e of all("*")) {
		if (e.tabIndex > 0) say(e, "a tab order of its own");
		if (getComputedStyle(e).order !== "0") say(e, "is shown in another place than it is reached by keyboard");
	}

	const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
	const paint = (layers) => {
		pen.clearRect(0, 0, 1, 1);
		for (const { color, alpha } of layers) { pen.globalAlpha = alpha; pen.fillStyle = color; pen.fillRect(0, 0, 1, 1); }
		pen.globalAlpha = 1;
		return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
	};
	const luminance = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const behind = (e) => { const layers = []; for (; e; e = e.parentElement) layers.unshift({ color: getComputedStyle(e).backgroundColor, alpha: 1 }); return [{ color: getComputedStyle(document.body).backgroundColor, alpha: 1 }, ...layers]; };
	const seen = new Set();
	const check = (e, color) => {
		const style = getComputedStyle(e), back = behind(e);
		let alpha = 1;
		for (let p = e; p; p = p.parentElement) alpha *= getComputedStyle(p).opacity;
		const key = [color, alpha, style.fontSize, style.fontWeight, ...back.map((l) => l.color)].join();
		if (seen.has(key)) return;
		seen.add(key);
		const [a, b] = [luminance(paint([...back, { color, alpha }])), luminance(paint(back))].sort((x, y) => y - x);
		const ratio = (a + 0.05) / (b + 0.05), size = parseFloat(style.fontSize);
		const need = size >= 24 || size >= 18.66 && style.fontWeight >= 700 ? 3 : 4.5;
		if (ratio < need) say(e, "contrast " + ratio.toFixed(2) + " where " + need + " is needed");
	};
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n = texts.nextNode(); n; n = texts.nextNode()) {
		const e = n.parentElement;
		if (n.data.trim() && shown(e) && !e.closest(":disabled, svg, option") && e.getClientRects().length) check(e, getComputedStyle(e).color);
	}
	for (const e of all("input[placeholder]")) check(e, getComputedStyle(e, "::placeholder").color);
	return found.slice(0, 10);
})()`

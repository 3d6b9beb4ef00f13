"use strict";
// Scales, colours, and a plot: two canvases, of which the upper one shows the trial under the pointer.
const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const trials = data.names.map((_, index) => index);
const view = { objective: 0, chosen: -1, pinned: false, kept: null };
const plots = [];
let colours = {};

function element(tag, text, attributes) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  return made;
}

const isKept = (trial) => view.kept === null || view.kept[trial] === 1;
const isBest = (() => { const best = new Set(data.best); return (trial) => best.has(trial); })();
const stateOf = (trial) => data.states[data.state[trial]];
const objective = () => data.objectives[view.objective] || { name: "objective", direction: "minimize", values: [], goal: null };
const better = (one, other) => (objective().direction === "minimize" ? one < other : one > other);

function format(value, span) {
  if (value === null || value === undefined) return "";
  if (value === 0) return "0";
  const digits = span ? Math.ceil(Math.log10(Math.abs(value) / span)) + 2 : 5;
  return String(Number(value.toPrecision(Math.min(15, Math.max(3, digits))))).replace("e+", "e");
}

// A scale maps a value to a share from 0 to 1, has ticks [value, text], and says what it is.
function numbersScale(values, log, whole) {
  let low = Infinity, high = -Infinity;
  for (const value of values) if (value !== null) { if (value < low) low = value; if (value > high) high = value; }
  if (low > high) [low, high] = [0, 1];
  log = log && low > 0 && high > low;
  const at = log ? Math.log10 : (value) => value / 2; // halves: the difference of two finite numbers may be infinite
  const from = at(low), span = at(high) - from;
  const share = (value) => (span > 0 ? Math.min(1, Math.max(0, (at(value) - from) / span)) : 0.5);
  const inverse = (part) => (log ? 10 ** (from + part * span) : 2 * (from + part * span));
  return { share, inverse, low, high, log, ticks: (most) => ticksOf(low, high, log, most).filter(([value]) => !whole || Number.isInteger(value)) };
}

function ticksOf(low, high, log, most) {
  if (!(high > low)) return [[low, format(low, Math.abs(low) / 1e4)]];
  // Values that differ after many digits are written as the lowest one and the distance from it.
  if (!log && (high / 2 - low / 2) / Math.max(Math.abs(low), Math.abs(high)) < 1e-5)
    return ticksOf(0, high - low, false, most).map(([value, text]) => [low + value, value === 0 ? format(low, Math.abs(low) / 1e3) : `+${text}`]);
  const found = [];
  if (log) {
    const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
    const every = Math.max(1, Math.ceil((last - first + 1) / most));
    for (let power = first; power <= last; power += every) found.push([10 ** power, format(10 ** power)]);
    if (found.length > 1) return found;
    const steps = [first - 1, first].flatMap((power) => [1, 2, 5].map((factor) => factor * 10 ** power)).filter((value) => value >= low && value <= high);
    return (steps.length > 1 ? steps : [low, high]).map((value) => [value, format(value)]);
  }
  const rough = (high / 2 - low / 2) / most * 2, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough) || rough;
  if (!Number.isFinite(step) || step === 0) return [[low, format(low)], [high, format(high)]];
  for (let index = Math.ceil(low / step - 1e-9), at = 0; index * step <= high + step * 1e-9 && at < 20; index += 1, at += 1)
    found.push([index * step, format(index * step, step)]);
  return found.length > 1 ? found : [low, high].map((value) => [value, format(value, high - low)]);
}

function categoriesScale(categories) {
  const size = Math.max(1, categories.length), every = (most) => Math.ceil(size / most);
  const ticks = (most) => categories.map((text, index) => [index, text]).filter((_, index) => index % every(most) === 0);
  return { share: (index) => (index + 0.5) / size, inverse: (part) => Math.min(size - 1, Math.max(0, Math.floor(part * size))),
    low: 0, high: size - 1, log: false, categories, ticks };
}

const isWide = (values) => { const found = values.filter((each) => each !== null); const low = least(found); return low > 0 && most(found) / low >= 100; };
const least = (values) => values.reduce((one, other) => Math.min(one, other), Infinity);
const most = (values) => values.reduce((one, other) => Math.max(one, other), -Infinity);
const scaleOf = (column) => (column.categories ? categoriesScale(column.categories) : numbersScale(column.values, column.log));
const objectiveScale = (each) => numbersScale(each.values, isWide(each.values));

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["back", "text", "soft", "line", "dot", "far", "near", "best", "bad", "wait", "good", "focus"])
    colours[name] = style.getPropertyValue(`--${name}`).trim();
  const parts = (name) => [1, 3, 5].map((at) => parseInt(colours[name].slice(at, at + 2), 16));
  const near = parts("near"), far = parts("far");
  colours.ramp = Array.from({ length: 12 }, (_, step) => `rgb(${near.map((each, at) => Math.round(each + (far[at] - each) * step / 11)).join(",")})`);
}

// From 0 (the best trials) to 11 (the worst): by rank, so that one outlier does not make all others alike.
function ranks() {
  const { values } = objective();
  const scored = trials.filter((trial) => values[trial] !== null).sort((one, other) => (better(values[one], values[other]) ? -1 : better(values[other], values[one]) ? 1 : 0));
  const found = new Array(trials.length).fill(11);
  scored.forEach((trial, place) => { found[trial] = Math.floor(Math.sqrt(place / scored.length) * 11.99); });
  return found;
}

function plot(id, label, height, draw, over) {
  const host = byId(id);
  if (host === null) return null;
  const made = { host, draw, over, hits: [], height, visible: false };
  host.style.height = `${height}px`;
  for (const [name, value] of Object.entries({ tabindex: "0", role: "group", "aria-label": label })) host.setAttribute(name, value);
  made.canvases = [0, 1].map(() => host.appendChild(element("canvas", undefined, { "aria-hidden": "true" })));
  host.addEventListener("pointermove", (event) => point(made, event));
  host.addEventListener("pointerleave", () => { if (!view.pinned) choose(-1); });
  host.addEventListener("click", (event) => { point(made, event); if (view.chosen >= 0) pin(view.chosen); });
  host.addEventListener("keydown", (event) => walk(made, event));
  plots.push(made);
  seen.observe(host);
  return made;
}

// A plot is drawn when it comes near the window: the page opens at once, however many there are.
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const made = plots.find((each) => each.host === entry.target);
    made.visible = entry.isIntersecting;
    if (made.visible && made.stale !== false) paint(made);
  }
}, { rootMargin: "300px" });

function pen(canvas, host) {
  const ratio = window.devicePixelRatio || 1, width = host.clientWidth, height = host.clientHeight;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.font = "12px system-ui, sans-serif";
  return { context, width, height };
}

function paint(made) {
  made.stale = false;
  made.hits = made.draw(pen(made.canvases[0], made.host)) || [];
  mark(made);
}

function mark(made) {
  const drawn = pen(made.canvases[1], made.host), { context } = drawn;
  if (view.chosen < 0) return;
  if (made.over) made.over(drawn, view.chosen);
  context.strokeStyle = colours.text;
  context.lineWidth = 2;
  for (const hit of made.hits) if (hit.trial === view.chosen && !hit.silent) { context.beginPath(); context.arc(hit.x, hit.y, 6, 0, 7); context.stroke(); }
}

function redraw() {
  readColours();
  for (const made of plots) { made.stale = true; if (made.visible) paint(made); }
}

function point(made, event) {
  if (view.pinned && event.type !== "click") return;
  const box = made.host.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
  let found = null, nearest = 15 * 15;
  for (const hit of made.hits) { const far = (hit.x - x) ** 2 + (hit.y - y) ** 2; if (far < nearest) { nearest = far; found = hit; } }
  if (event.type === "click") view.pinned = false;
  choose(found ? found.trial : -1, found && { x: event.pageX, y: event.pageY });
}

function walk(made, event) {
  const step = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
  if (event.key === "Escape") { view.pinned = false; choose(-1); return; }
  if (event.key === "Enter" && view.chosen >= 0) { pin(view.chosen); return; }
  if (step === undefined || made.hits.length === 0 || made.keys) return;
  event.preventDefault();
  const first = new Map();
  for (const hit of made.hits) if (!first.has(hit.trial) || first.get(hit.trial).x > hit.x) first.set(hit.trial, hit);
  const order = [...first.values()].sort((one, other) => one.x - other.x || one.y - other.y);
  const now = order.findIndex((hit) => hit.trial === view.chosen);
  const next = order[Math.min(order.length - 1, Math.max(0, now + step))];
  const box = made.host.getBoundingClientRect();
  view.pinned = false;
  choose(next.trial, { x: box.left + next.x + window.scrollX, y: box.top + next.y + window.scrollY });
}

function choose(trial, at) {
  const tip = byId("tip");
  if (trial !== view.chosen) { view.chosen = trial; for (const made of plots) if (made.visible) mark(made); }
  tip.hidden = trial < 0 || !at;
  if (tip.hidden) return;
  tip.textContent = byId("told").textContent = describe(trial);
  tip.style.left = `${Math.max(4, Math.min(at.x + 14, document.documentElement.clientWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${at.y + 14}px`;
}

function describe(trial) {
  const lines = [`${data.names[trial]}: ${stateOf(trial)}`];
  for (const each of data.objectives) if (each.values[trial] !== null) lines.push(`${each.name} ${format(each.values[trial])}`);
  for (const column of data.parameters.slice(0, 8)) if (column.values[trial] !== null) lines.push(`${column.name} = ${shown(column, trial)}`.slice(0, 120));
  if (data.messages[trial]) lines.push(data.messages[trial]);
  return lines.join("\n");
}

function shown(column, trial) {
  const value = column.values[trial];
  return value === null ? "" : column.categories ? column.categories[value] : String(value);
}

const named = (name, scale) => (scale.log ? `${name} (logarithmic)` : name);

// The frame of a plot: ticks and names of both sides. Returns where shares are in it.
function frame({ context, width, height }, across, up, names) {
  const box = { left: 62, right: width - 12, top: 10, bottom: height - (names.across ? 40 : 24) };
  const inside = 7; // so that no dot is cut off
  const at = (right, high) => [box.left + inside + (box.right - box.left - 2 * inside) * right, box.bottom - inside - (box.bottom - box.top - 2 * inside) * high];
  const x = (value) => at(across.share(value), 0)[0], y = (value) => at(0, up.share(value))[1];
  context.strokeStyle = colours.line;
  context.fillStyle = colours.soft;
  context.lineWidth = 1;
  context.textAlign = "right";
  for (const [value, text] of up.ticks(Math.max(2, Math.floor((box.bottom - box.top) / 28)))) {
    context.beginPath(); context.moveTo(box.left, y(value)); context.lineTo(box.right, y(value)); context.stroke();
    context.fillText(short(context, text, 56), box.left - 5, y(value) + 4);
  }
  const room = (box.right - box.left) / Math.max(2, Math.floor((box.right - box.left) / 72)), last = { end: -Infinity };
  for (const [value, text] of across.ticks(Math.floor((box.right - box.left) / room))) {
    const cut = short(context, text, room - 4), half = context.measureText(cut).width / 2;
    const middle = Math.max(box.left + half - 20, Math.min(width - half - 2, x(value)));
    if (middle - half < last.end + 4) continue;
    context.textAlign = "center";
    context.fillText(cut, middle, box.bottom + 15);
    last.end = middle + half;
  }
  context.textAlign = "center";
  if (names.across) context.fillText(short(context, names.across, width - 70), (box.left + box.right) / 2, height - 6);
  return { ...box, x, y, at };
}

function short(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  const letters = Array.from(text.slice(0, 300)); // a category may be a long text
  while (letters.length > 1 && context.measureText(`${letters.join("")}…`).width > room) letters.pop();
  return `${letters.join("")}…`;
}

function dot(context, x, y, radius, colour, hollow) {
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  if (hollow) { context.strokeStyle = colour; context.lineWidth = 1.3; context.stroke(); } else { context.fillStyle = colour; context.fill(); }
}

// Best trials last, so that they are in front; those outside of the filter first.
const inOrder = (list) => [...list].sort((one, other) => isKept(one) - isKept(other) || isBest(one) - isBest(other));
const radiusOf = (trial) => (isBest(trial) ? 5 : trials.length > 3000 ? 1.8 : trials.length > 300 ? 2.5 : 3.5);
const colourOf = (trial) => (!isKept(trial) ? colours.line : isBest(trial) ? colours.best : colours.dot);

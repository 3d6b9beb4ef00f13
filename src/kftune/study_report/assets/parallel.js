"use strict";
// Parallel coordinates: an axis for each objective and hyperparameter, and ranges on them that filter the page.
const mostAxes = 40;
const axes = [...data.objectives.map((each) => ({ name: each.name, values: each.values, log: isWide(each.values) })), ...data.parameters].slice(0, mostAxes);
const brush = { ranges: axes.map(() => null), axis: 0, from: null };
let parallel = null;

const axisX = (width, index) => (axes.length > 1 ? 46 + (width - 92) * index / (axes.length - 1) : width / 2);
const axisTop = 44, axisBottom = (height) => height - 30;
const axisY = (height, share) => axisBottom(height) - (axisBottom(height) - axisTop) * share;
const shareAt = (height, y) => Math.min(1, Math.max(0, (axisBottom(height) - y) / (axisBottom(height) - axisTop)));

function parallelPoints({ width, height }, scales, trial) {
  return axes.map((axis, index) => [axisX(width, index), axis.values[trial] === null ? axisBottom(height) + 14 : axisY(height, scales[index].share(axis.values[trial]))]);
}

function drawParallel(drawn) {
  const { context, width, height } = drawn, scales = axes.map(scaleOf), rank = ranks(), hits = [];
  const listed = trials.filter((trial) => objective().values[trial] !== null);
  const every = Math.ceil(listed.length / 3000), alpha = Math.max(0.15, Math.min(0.7, 150 / listed.length * every));
  const taken = listed.filter((trial, index) => index % every === 0 || isBest(trial));
  for (const trial of taken.sort((one, other) => isKept(one) - isKept(other) || isBest(one) - isBest(other) || rank[other] - rank[one])) {
    const points = parallelPoints(drawn, scales, trial);
    context.globalAlpha = isBest(trial) ? 1 : isKept(trial) ? Math.min(1, alpha * (rank[trial] < 3 ? 3 : 1)) : 0.05;
    line(context, points, isBest(trial) ? colours.best : colours.ramp[rank[trial]], isBest(trial) ? 2.4 : 1);
    if (isKept(trial)) for (const [x, y] of points) hits.push({ x, y, trial, silent: true });
  }
  context.globalAlpha = 1;
  const room = axes.length > 1 ? (width - 92) / (axes.length - 1) : width;
  axes.forEach((axis, index) => drawAxis(drawn, scales[index], index, room, taken.some((trial) => axis.values[trial] === null)));
  return hits;
}

function drawAxis({ context, width, height }, scale, index, room, someLack) {
  const axis = axes[index], x = axisX(width, index), range = brush.ranges[index];
  line(context, [[x, axisTop], [x, axisBottom(height)]], index === brush.axis ? colours.focus : colours.soft, index === brush.axis ? 2 : 1);
  context.textAlign = "center";
  context.fillStyle = colours.text;
  const name = short(context, axis.name, Math.min(width / 2, Math.max(50, room * 1.9 - 8))), half = context.measureText(name).width / 2;
  context.fillText(name, Math.max(half + 2, Math.min(width - half - 2, x)), index % 2 ? 30 : 14);
  const isLast = index === axes.length - 1 && index > 0, aside = isLast ? -4 : 4;
  context.textAlign = isLast ? "right" : "left";
  context.lineWidth = 3;
  for (const [value, text] of scale.ticks(4)) {
    const label = short(context, text, Math.max(24, room - 8));
    context.strokeStyle = colours.back;
    context.strokeText(label, x + aside, axisY(height, scale.share(value)) + 4);
    context.fillStyle = colours.soft;
    context.fillText(label, x + aside, axisY(height, scale.share(value)) + 4);
  }
  if (someLack) { context.textAlign = "center"; context.fillStyle = colours.soft; context.fillText("none", x, axisBottom(height) + 26); }
  if (range) {
    context.globalAlpha = 0.35;
    context.fillStyle = colours.focus;
    context.fillRect(x - 7, axisY(height, range[1]), 14, Math.max(2, axisY(height, range[0]) - axisY(height, range[1])));
    context.globalAlpha = 1;
  }
}

function overParallel(drawn, trial) {
  line(drawn.context, parallelPoints(drawn, axes.map(scaleOf), trial), colours.text, 2.2);
}

function filterTrials() {
  const scales = axes.map(scaleOf), used = brush.ranges.flatMap((range, index) => (range ? [index] : []));
  view.kept = used.length === 0 ? null : Uint8Array.from(trials, (trial) => (used.every((index) => {
    const value = axes[index].values[trial], [low, high] = brush.ranges[index];
    if (value === null) return false;
    const share = scales[index].share(value);
    return share >= low - 1e-9 && share <= high + 1e-9;
  }) ? 1 : 0));
  const kept = view.kept === null ? trials.length : view.kept.reduce((one, other) => one + other, 0);
  const texts = used.map((index) => `${axes[index].name} ${rangeText(scales[index], brush.ranges[index])}`);
  if (byId("kept")) {
    byId("kept").textContent = `${kept} of ${trials.length} trials${texts.length ? `: ${texts.join("; ")}` : ""}`;
    byId("clear").disabled = used.length === 0;
  }
  redraw();
  showTable(0);
}

function rangeText(scale, [low, high]) {
  if (!scale.categories) return `from ${format(scale.inverse(low))} to ${format(scale.inverse(high))}`;
  const inside = scale.categories.filter((_, index) => scale.share(index) >= low && scale.share(index) <= high);
  return inside.length > 5 ? `one of ${inside.length}` : inside.join(" or ") || "none";
}

function parallelKeys(event) {
  const change = { ArrowUp: 0.05, ArrowDown: -0.05 }[event.key], move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (move) brush.axis = Math.min(axes.length - 1, Math.max(0, brush.axis + move));
  else if (change) {
    const [low, high] = brush.ranges[brush.axis] || [0, 1], within = (value) => Math.round(Math.min(1, Math.max(0, value)) * 100) / 100;
    brush.ranges[brush.axis] = event.shiftKey ? [low, Math.max(low, within(high + change))] : [Math.min(high, within(low + change)), high];
  } else if (event.key === "Delete" || event.key === "Backspace") brush.ranges[brush.axis] = null;
  else return;
  event.preventDefault();
  const range = brush.ranges[brush.axis];
  if (range && range[0] <= 0 && range[1] >= 1) brush.ranges[brush.axis] = null;
  byId("told").textContent = `axis ${axes[brush.axis].name}`;
  filterTrials();
}

function parallelDrag(host) {
  const at = (event) => { const box = host.getBoundingClientRect(); return { x: event.clientX - box.left, y: event.clientY - box.top, width: box.width, height: box.height }; };
  host.addEventListener("pointerdown", (event) => {
    const place = at(event), near = axes.findIndex((_, index) => Math.abs(axisX(place.width, index) - place.x) < 12);
    if (near < 0) return;
    event.preventDefault();
    host.focus({ preventScroll: true });
    host.setPointerCapture(event.pointerId);
    Object.assign(brush, { axis: near, from: shareAt(place.height, place.y) });
  });
  host.addEventListener("pointermove", (event) => {
    if (brush.from === null) return;
    const place = at(event), now = shareAt(place.height, place.y);
    brush.ranges[brush.axis] = [Math.min(brush.from, now), Math.max(brush.from, now)];
    paint(parallel);
  });
  host.addEventListener("pointerup", () => {
    if (brush.from === null) return;
    const range = brush.ranges[brush.axis];
    if (range && range[1] - range[0] < 0.01) brush.ranges[brush.axis] = null;
    brush.from = null;
    filterTrials();
  });
}

function startParallel() {
  const host = byId("parallel");
  if (host === null) return;
  host.style.minWidth = `${Math.min(axes.length, mostAxes) * 50}px`;
  parallel = plot("parallel", "Parallel coordinates. Left and right choose an axis, up and down move the lower end of its range, with Shift the upper end, Delete removes the range.", 340, drawParallel, overParallel);
  parallel.keys = true;
  host.addEventListener("keydown", parallelKeys);
  parallelDrag(host);
  byId("clear").addEventListener("click", () => { brush.ranges.fill(null); filterTrials(); });
}

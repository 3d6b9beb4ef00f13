"use strict";
// The plots of the page, each in the element with its name.
function drawHistory(drawn) {
  const { context } = drawn, each = objective(), { values } = each, hits = [];
  const scale = numbersScale(each.goal === null ? values : [...values, each.goal], isWide(values));
  const box = frame(drawn, numbersScale([1, Math.max(2, trials.length)], false, true), scale, { across: "trial, in the order of their start" });
  if (each.goal !== null) {
    context.setLineDash([5, 4]);
    line(context, [[box.left, box.y(each.goal)], [box.right, box.y(each.goal)]], colours.good, 1.5);
    context.setLineDash([]);
  }
  for (const trial of inOrder(trials)) {
    const value = values[trial], x = trials.length > 1 ? box.x(trial + 1) : (box.left + box.right) / 2;
    if (value === null) {
      if (/Failed|MetricsUnavailable|EarlyStopped/.test(stateOf(trial))) {
        line(context, [[x, box.bottom], [x, box.bottom + 5]], stateOf(trial) === "EarlyStopped" ? colours.wait : colours.bad, 1);
        hits.push({ x, y: box.bottom + 2, trial });
      }
      continue;
    }
    dot(context, x, box.y(value), radiusOf(trial), colourOf(trial), stateOf(trial) === "EarlyStopped");
    hits.push({ x, y: box.y(value), trial });
  }
  let best = null;
  const steps = [];
  for (const trial of trials) {
    const value = values[trial];
    if (value === null || (best !== null && !better(value, best))) continue;
    if (best !== null) steps.push([box.x(trial + 1), box.y(best)]);
    best = value;
    steps.push([box.x(trial + 1), box.y(best)]);
  }
  if (best !== null && trials.length > 1) { steps.push([box.right, box.y(best)]); line(context, steps, colours.best, 1.6); }
  return hits;
}

function line(context, points, colour, width) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.beginPath();
  points.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.stroke();
}

let curvesBox = null;
const curvePoints = (curves, at) => curves.values[at].map((value, index) => [curvesBox.x(curves.steps[curves.which[at]][index]), curvesBox.y(value)]);

function drawCurves(drawn) {
  const curves = data.curves[view.objective], { context } = drawn, hits = [], counted = [];
  const scored = (at) => objective().values[curves.trials[at]] !== null;
  const places = curves.trials.map((_, at) => at), some = places.some(scored);
  for (const at of places) if (!some || scored(at)) for (const value of curves.values[at]) counted.push(value);
  const ends = curves.steps.flatMap((steps) => [least(steps), most(steps)]);
  curvesBox = frame(drawn, numbersScale(ends, false, true), numbersScale(counted, isWide(counted)), { across: "step" });
  const alpha = Math.max(0.12, Math.min(0.8, 30 / places.length)), every = Math.ceil(counted.length / 20000) || 1;
  let number = 0;
  for (const at of [...places].sort((one, other) => isKept(curves.trials[one]) - isKept(curves.trials[other]) || isBest(curves.trials[one]) - isBest(curves.trials[other]))) {
    const trial = curves.trials[at], points = curvePoints(curves, at), best = isBest(trial);
    context.globalAlpha = best ? 1 : isKept(trial) ? alpha : 0.08;
    line(context, points, best ? colours.best : colours.dot, best ? 2.4 : 1);
    if (stateOf(trial) === "EarlyStopped" && isKept(trial)) {
      const [x, y] = points[points.length - 1];
      context.globalAlpha = Math.max(0.35, alpha);
      line(context, [[x - 3, y - 3], [x + 3, y + 3]], colours.wait, 1.3);
      line(context, [[x - 3, y + 3], [x + 3, y - 3]], colours.wait, 1.3);
    }
    points.forEach(([x, y], index) => { number += 1; if (number % every === 0 || index === points.length - 1) hits.push({ x, y, trial, silent: true }); });
  }
  context.globalAlpha = 1;
  return hits;
}

function overCurves({ context }, trial) {
  const curves = data.curves[view.objective], at = curves.trials.indexOf(trial);
  if (at >= 0 && curvesBox) line(context, curvePoints(curves, at), colours.text, 2.2);
}

function drawSlice(column) {
  return (drawn) => {
    const { context } = drawn, { values } = objective(), hits = [];
    const across = scaleOf(column), box = frame(drawn, across, objectiveScale(objective()), { across: named(column.name, across) });
    const room = column.categories ? (box.right - box.left) / column.categories.length * 0.5 : 0;
    for (const trial of inOrder(trials)) {
      if (values[trial] === null || column.values[trial] === null) continue;
      const x = box.x(column.values[trial]) + room * (spread(trial) - 0.5), y = box.y(values[trial]);
      context.globalAlpha = isBest(trial) ? 1 : 0.75;
      dot(context, x, y, Math.min(4, radiusOf(trial)), colourOf(trial), stateOf(trial) === "EarlyStopped");
      hits.push({ x, y, trial });
    }
    context.globalAlpha = 1;
    return hits;
  };
}

// Trials of one category are beside each other: always in the same places.
const spread = (trial) => (trial * 0.6180339887) % 1;

const pair = { across: 0, up: 1 };
function drawPair(drawn) {
  const across = data.parameters[pair.across], up = data.parameters[pair.up], { context } = drawn, hits = [];
  const sides = [scaleOf(across), scaleOf(up)], rank = ranks();
  const box = frame(drawn, sides[0], sides[1], { across: `across: ${named(across.name, sides[0])}, up: ${named(up.name, sides[1])}` });
  const known = trials.filter((trial) => objective().values[trial] !== null && across.values[trial] !== null && up.values[trial] !== null);
  const shares = known.map((trial) => [across.categories ? sides[0].share(across.values[trial]) + (spread(trial) - 0.5) * 0.5 / across.categories.length : sides[0].share(across.values[trial]),
    up.categories ? sides[1].share(up.values[trial]) + (spread(trial * 7) - 0.5) * 0.5 / up.categories.length : sides[1].share(up.values[trial]), rank[trial], trial]);
  if (known.length >= 20) drawField(context, box, shares);
  for (const [right, high, , trial] of shares.sort((one, other) => isKept(one[3]) - isKept(other[3]) || other[2] - one[2])) {
    const [x, y] = box.at(right, high);
    if (known.length < 1500) dot(context, x, y, radiusOf(trial) + 1, colours.back);
    dot(context, x, y, radiusOf(trial), !isKept(trial) ? colours.line : isBest(trial) ? colours.best : colours.ramp[rank[trial]]);
    hits.push({ x, y, trial });
  }
  return hits;
}

// The mean rank of the trials nearby, as areas of one colour: a contour without a model.
function drawField(context, box, shares) {
  const columns = 48, rows = 32, size = 0.07, taken = shares.filter((_, index) => index % Math.ceil(shares.length / 1500) === 0);
  const edge = (part) => box.at(part, part).map(Math.round);
  for (let column = 0; column < columns; column += 1) {
    for (let row = 0; row < rows; row += 1) {
      let sum = 0, weight = 0;
      for (const [x, y, rank] of taken) {
        const far = ((x - (column + 0.5) / columns) ** 2 + (y - (row + 0.5) / rows) ** 2) / (2 * size * size);
        if (far < 6) { const part = Math.exp(-far); sum += part * rank; weight += part; }
      }
      if (weight < 0.2) continue;
      context.globalAlpha = 0.55;
      context.fillStyle = colours.ramp[Math.min(11, Math.round(Math.round(sum / weight / 11 * 8) / 8 * 11))];
      const [left, right, bottom, top] = [edge(column / columns)[0], edge((column + 1) / columns)[0], edge(row / rows)[1], edge((row + 1) / rows)[1]];
      context.fillRect(left, top, right - left, bottom - top);
    }
  }
  context.globalAlpha = 1;
}

const front = { across: 0, up: 1 };
function drawFront(drawn) {
  const across = data.objectives[front.across], up = data.objectives[front.up], { context } = drawn, hits = [];
  const box = frame(drawn, objectiveScale(across), objectiveScale(up), { across: `across: ${across.name} (${across.direction}), up: ${up.name} (${up.direction})` });
  const best = [];
  for (const trial of inOrder(trials)) {
    if (across.values[trial] === null || up.values[trial] === null) continue;
    const x = box.x(across.values[trial]), y = box.y(up.values[trial]);
    dot(context, x, y, radiusOf(trial), colourOf(trial));
    hits.push({ x, y, trial });
    if (isBest(trial)) best.push([x, y]);
  }
  if (data.objectives.length === 2) line(context, best.sort((one, other) => one[0] - other[0]), colours.best, 1.2);
  return hits;
}

function drawTimeline(drawn) {
  const { context } = drawn, hits = [], lanes = Math.max(1, most(data.lanes.map((lane) => (lane === null ? 0 : lane))) + 1);
  const last = most(data.spans.flat().map((time) => (time === null ? 0 : time))), unit = last > 7200 ? [3600, "hours"] : last > 300 ? [60, "minutes"] : [1, "seconds"];
  const box = frame(drawn, numbersScale([0, (last || 1) / unit[0]], false), { share: () => 0, ticks: () => [] }, { across: `${unit[1]} since the first start` });
  const high = (box.bottom - box.top) / lanes;
  context.textAlign = "right";
  context.fillStyle = colours.soft;
  for (const lane of [0, lanes - 1]) context.fillText(`${lane + 1}`, box.left - 6, box.top + (lane + 0.5) * high + 4);
  const colour = { Succeeded: colours.dot, EarlyStopped: colours.wait, Failed: colours.bad, MetricsUnavailable: colours.bad, Killed: colours.soft };
  for (const trial of inOrder(trials)) {
    const [start, end] = data.spans[trial];
    if (start === null) continue;
    const from = box.x(start / unit[0]), to = Math.max(from + 1, box.x((end === null ? last : end) / unit[0]));
    const top = box.top + data.lanes[trial] * high, gap = high > 6 ? 1.5 : 0.2;
    context.fillStyle = !isKept(trial) ? colours.line : isBest(trial) ? colours.best : colour[stateOf(trial)] || colours.good;
    context.fillRect(from, top + gap, Math.max(0.6, to - from - 0.6), high - 2 * gap);
    hits.push({ x: (from + to) / 2, y: top + high / 2, trial });
  }
  return hits;
}

"use strict";
// The table with filter and sort, and what starts the page.
const pageSize = 25;
const listed = { sort: -1, down: false, page: 0, rows: [] };
const columns = [
  { name: "trial", value: (trial) => trial, text: (trial) => data.names[trial] },
  { name: "state", value: stateOf, text: stateOf },
  ...data.objectives.map((each) => ({ name: each.name, value: (trial) => each.values[trial], text: (trial) => (each.values[trial] === null ? "" : String(each.values[trial])) })),
  { name: "seconds", value: (trial) => data.durations[trial], text: (trial) => (data.durations[trial] === null ? "" : String(data.durations[trial])) },
  ...data.parameters.map((column) => ({ name: column.name, value: (trial) => column.values[trial], text: (trial) => shown(column, trial) })),
  { name: "message", value: (trial) => data.messages[trial] || null, text: (trial) => data.messages[trial] || "" },
];

function sortTrials(one, other) {
  const column = columns[listed.sort], [a, b] = [column.value(one), column.value(other)];
  if (a === null || b === null) return (a === null) - (b === null);
  return (a < b ? -1 : a > b ? 1 : 0) * (listed.down ? -1 : 1);
}

function showTable(page) {
  const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean), state = byId("state").value;
  listed.rows = trials.filter((trial) => isKept(trial) && (!state || stateOf(trial) === state) &&
    (words.length === 0 || (() => { const text = columns.map((column) => column.text(trial)).join(" ").toLowerCase(); return words.every((word) => text.includes(word)); })()));
  if (listed.sort >= 0) listed.rows.sort(sortTrials);
  const last = Math.max(0, Math.ceil(listed.rows.length / pageSize) - 1);
  listed.page = Math.min(last, Math.max(0, page));
  const body = byId("rows"), from = listed.page * pageSize;
  body.replaceChildren(...listed.rows.slice(from, from + pageSize).map((trial) => {
    const row = element("tr", undefined, { tabindex: "0", class: [isBest(trial) ? "best" : "", trial === view.chosen ? "chosen" : ""].join(" ").trim() });
    for (const column of columns) { const cell = element("td", column.text(trial)); cell.title = column.text(trial); row.append(cell); }
    row.addEventListener("click", () => { view.pinned = true; choose(trial); showTable(listed.page); });
    row.addEventListener("keydown", (event) => { if (event.key === "Enter") row.click(); });
    return row;
  }));
  byId("shown").textContent = listed.rows.length === 0 ? "no trial" : `${from + 1} to ${Math.min(from + pageSize, listed.rows.length)} of ${listed.rows.length}`;
  byId("before").disabled = listed.page === 0;
  byId("after").disabled = listed.page === last;
  [...byId("heads").children].forEach((head, index) => head.setAttribute("aria-sort", index !== listed.sort ? "none" : listed.down ? "descending" : "ascending"));
}

function pin(trial) {
  view.pinned = true;
  if (!listed.rows.includes(trial)) { byId("find").value = ""; byId("state").value = ""; showTable(0); }
  showTable(Math.floor(Math.max(0, listed.rows.indexOf(trial)) / pageSize));
  byId("told").textContent = describe(trial);
}

function options(select, texts, chosen, change) {
  texts.forEach((text, index) => select.append(element("option", text, { value: index })));
  select.value = chosen;
  select.addEventListener("change", () => { change(Number(select.value)); redraw(); });
}

function startTable() {
  for (const [index, column] of columns.entries()) {
    const head = element("th", undefined, { scope: "col" }), button = element("button", column.name, { type: "button" });
    button.addEventListener("click", () => { listed.down = listed.sort === index && !listed.down; listed.sort = index; showTable(0); });
    head.append(button);
    byId("heads").append(head);
  }
  for (const state of data.states) byId("state").append(element("option", state, { value: state }));
  byId("find").addEventListener("input", () => showTable(0));
  byId("state").addEventListener("change", () => showTable(0));
  byId("before").addEventListener("click", () => showTable(listed.page - 1));
  byId("after").addEventListener("click", () => showTable(listed.page + 1));
}

function startCopying() {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.addEventListener("click", async () => {
      const source = byId(button.dataset.copy);
      try { await navigator.clipboard.writeText(source.textContent); } catch { const range = document.createRange(); range.selectNodeContents(source); getSelection().removeAllRanges(); getSelection().addRange(range); document.execCommand("copy"); }
      button.textContent = "copied";
      setTimeout(() => { button.textContent = "copy"; }, 1500);
    });
  }
}

function start() {
  readColours();
  plot("history", "Objective of each trial. Left and right go from trial to trial, Enter shows it in the table.", 300, drawHistory);
  plot("curves", "Learning curves. Left and right go from trial to trial.", 320, drawCurves, overCurves);
  startParallel();
  data.parameters.forEach((column, index) => plot(`slice-${index}`, `${column.name} and the objective of each trial`, 190, drawSlice(column)));
  plot("pair", "Two hyperparameters; the darker or brighter, the better the trial", 380, drawPair);
  plot("front", "Two objectives", 340, drawFront);
  plot("timeline", "When each trial ran", Math.min(360, 60 + 18 * (most(data.lanes.map((lane) => lane || 0)) + 1)), drawTimeline);
  const names = data.parameters.map((column) => column.name), goals = data.objectives.map((each) => each.name);
  for (const side of ["across", "up"]) {
    if (byId(`pair-${side}`)) options(byId(`pair-${side}`), names, pair[side], (index) => { pair[side] = index; });
    if (byId(`front-${side}`)) options(byId(`front-${side}`), goals, front[side], (index) => { front[side] = index; });
  }
  if (byId("objective")) options(byId("objective"), goals, 0, (index) => { view.objective = index; });
  startTable();
  startCopying();
  filterTrials();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; redraw(); } });
  addEventListener("beforeprint", () => { for (const made of plots) paint(made); });
  document.documentElement.dataset.ready = Math.round(performance.now()); // milliseconds since the page was opened
}

start();

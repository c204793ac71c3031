"use strict";
// Charts: Plotly in the page's own colors, each with a legend above it and a table of its numbers below.

const HEIGHT = 280; // pixels
const drawn = new Map(); // id of a chart -> how to draw it again in other colors
const leftOut = new Map(); // id of a chart -> names of the traces that a person has switched off

// Stage -> its place in `--series`: a stage has the same color in every chart of every run.
const STAGE_COLORS = {
  preprocess: 0, seeds: 0, summarize: 1, respond: 1, bootstrap: 1, generate: 1, score: 2, scenarios: 2, coreset: 2,
  discern: 3, clarify: 3, selection: 4, train: 5, evaluate: 6, promote: 7, verify: 8, instances: 8, leakage: 8, review: 9,
};

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const series = (number, palette = "--series") => {
  const colors = style(palette).split(",");
  return colors[number % colors.length].trim();
};

const stageColor = (stage) => series(STAGE_COLORS[stage] ?? 7);

/**
 * `traces` gives Plotly's traces, anew for each drawing; `empty` says why there are none.
 * @param {string} id
 * @param {Record<string, any>} chart
 */
function drawChart(id, { traces, layout = {}, heads, rows, empty }) {
  const bare = rows.length === 0;
  for (const part of ["", "-legend", "-note", "-numbers"]) byId(id + part).hidden = bare;
  byId(`${id}-empty`).hidden = !bare;
  byId(`${id}-empty`).textContent = empty;
  if (bare) {
    drawn.delete(id);
    return;
  }
  fillTable(byId(`${id}-table`), heads, rows);
  byId(id).style.height = `${layout.height ?? HEIGHT}px`;
  drawn.set(id, () => {
    const shown = traces().map((trace) => ({ ...trace, visible: !leftOut.get(id)?.has(trace.name) }));
    drawLegend(id, shown);
    Plotly.react(id, shown, chartLayout(layout), { displayModeBar: false, responsive: true });
  });
  drawn.get(id)();
}

// The names of the traces as buttons that switch them off and on; Plotly's own legend is cut on a narrow screen.
function drawLegend(id, traces) {
  const legend = byId(`${id}-legend`);
  const focused = legend.contains(document.activeElement) ? document.activeElement?.textContent : null;
  legend.replaceChildren(...traces.map(({ name, visible, line, marker }) => {
    const swatch = element("i", { class: line ? line.dash ?? "solid" : marker.pattern?.shape ? "striped" : "filled",
      "aria-hidden": "true" });
    swatch.style.color = line?.color ?? marker.color;
    const button = element("button", { type: "button", "aria-pressed": String(visible) }, swatch, name);
    button.addEventListener("click", () => {
      const names = leftOut.get(id) ?? new Set();
      if (!names.delete(name)) names.add(name);
      leftOut.set(id, names);
      drawn.get(id)();
    });
    return element("li", {}, button);
  }));
  [...legend.querySelectorAll("button")].find((button) => button.textContent === focused)?.focus();
}

function chartLayout({ xaxis = {}, yaxis = {}, height = HEIGHT, ...rest }) {
  const axis = {
    gridcolor: style("--line"), linecolor: style("--line"), zerolinecolor: style("--line"), automargin: true,
    fixedrange: true,
  };
  return {
    height, margin: { l: 8, r: 12, t: 12, b: 8 }, paper_bgcolor: "transparent", plot_bgcolor: "transparent",
    font: { family: "system-ui, sans-serif", size: 12, color: style("--text") }, dragmode: false, hovermode: "closest",
    hoverlabel: { bgcolor: style("--card"), bordercolor: style("--line"), font: { color: style("--text") } },
    showlegend: false,
    xaxis: { ...axis, ...xaxis }, yaxis: { ...axis, ...yaxis }, ...rest,
  };
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const draw of drawn.values()) draw();
});

// Rates with intervals by round; `pick` gives the estimate of a round for a line, or null where it was not measured.
function drawRates(id, rounds, lines, pick, empty) {
  const measured = lines.map((line) => ({
    line, points: rounds.map((round) => ({ round: round.round, estimate: pick(round, line) }))
      .filter((point) => point.estimate),
  })).filter(({ points }) => points.length);
  const traces = () => measured.map(({ line, points }, number) => {
    const rates = points.map(({ estimate }) => 100 * estimate.rate);
    return {
      name: line.label, type: "scatter", mode: "lines+markers", y: rates,
      x: points.map(({ round }) => round + 0.05 * (number - (measured.length - 1) / 2)), // intervals side by side
      line: { color: series(number), width: 2 }, marker: { size: 8 },
      error_y: {
        type: "data", symmetric: false, thickness: 1.3, width: 5,
        array: points.map(({ estimate }, at) => 100 * estimate.high - rates[at]),
        arrayminus: points.map(({ estimate }, at) => rates[at] - 100 * estimate.low),
      },
      text: points.map(({ round, estimate }) => `round ${round}: ${interval(estimate)}`), hoverinfo: "text+name",
    };
  });
  drawChart(id, {
    traces, empty, heads: ["Round", ...measured.map(({ line }) => line.label)],
    rows: measured.length ? rounds.map((round) => [
      count(round.round), ...measured.map(({ line }) => interval(pick(round, line)))]) : [],
    layout: {
      xaxis: { title: { text: "round" }, dtick: Math.max(1, Math.ceil(rounds.length / 12)), tick0: 0,
        range: [-0.4, Math.max(0, ...rounds.map((round) => round.round)) + 0.4] },
      yaxis: { ticksuffix: " %", rangemode: "tozero" },
    },
  });
}

"use strict";
// Charts: Plotly in the page's own colors, each with a table of its numbers beside it.

const HEIGHT = 320; // pixels
const LEGEND = { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" };
const drawn = new Map(); // id of a chart -> how to draw it again in other colors

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const series = (number, palette = "--series") => {
  const colors = style(palette).split(",");
  return colors[number % colors.length].trim();
};

/**
 * `traces` gives Plotly's traces, anew for each drawing; `empty` says why there are none.
 * @param {string} id
 * @param {Record<string, any>} chart
 */
function drawChart(id, { traces, layout = {}, heads, rows, empty }) {
  const bare = rows.length === 0;
  byId(id).hidden = byId(`${id}-note`).hidden = byId(`${id}-numbers`).hidden = bare;
  byId(`${id}-empty`).hidden = !bare;
  byId(`${id}-empty`).textContent = empty;
  if (bare) {
    drawn.delete(id);
    return;
  }
  fillTable(byId(`${id}-table`), heads, rows);
  byId(id).style.height = `${layout.height ?? HEIGHT}px`;
  drawn.set(id, () => Plotly.react(id, traces(), chartLayout(layout), { displayModeBar: false, responsive: true }));
  drawn.get(id)();
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
    legend: LEGEND, showlegend: true,
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

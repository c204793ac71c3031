"use strict";
// One function per section of the page; each takes the data of the run and draws.

function drawHead(run) {
  const kinds = { running: "good", done: "good", failed: "bad", interrupted: "warn", waiting: "warn" };
  byId("run-name").textContent = run.name;
  document.title = `${run.name} · inverse-instruct`;
  byId("run-state").textContent = run.state;
  byId("run-state").className = `badge ${kinds[run.state] ?? ""}`;
  const promoted = run.rounds.find((round) => round.state === "promoted");
  byId("run-lead").textContent = [
    run.rounds_wanted == null ? "" : `${plural(run.rounds_wanted, "self-training round")} wanted`,
    promoted ? `round ${promoted.round} is promoted` : "nothing is promoted yet",
  ].filter(Boolean).join(" · ");
}

function drawNow(run) {
  const section = byId("now");
  section.hidden = run.under_way.length === 0;
  section.replaceChildren(...run.under_way.map((stage) => {
    const going = run.state === "running";
    const part = stage.total ? `${count(stage.done)} of ${count(stage.total)}` : "";
    const left = going && stage.seconds_left != null ? `about ${duration(stage.seconds_left)} left` : "";
    const line = [`Round ${stage.round} ${stage.stage}${going ? "" : " was not finished"}`, part, left]
      .filter(Boolean).join(" · ");
    return element("div", {}, element("p", { class: "lead" }, line),
      stage.total || going ? element("progress", {
        max: stage.total ?? false, value: stage.total ? stage.done : false, "aria-label": line }) : null);
  }));
}

function drawFunnel(run) {
  const rounds = [...new Set(run.funnel.map((stage) => stage.round))];
  const chosen = keepChoice(byId("funnel-round"), rounds.map((round) => [String(round), roundName(round)]));
  byId("funnel-choice").hidden = rounds.length === 0;
  const stages = run.funnel.filter((stage) => String(stage.round) === chosen);
  const known = [...new Set(run.funnel.flatMap((stage) => Object.keys(stage.rejected)))]; // colors are those of all rounds
  const reasons = known.filter((reason) => stages.some((stage) => stage.rejected[reason]));
  const names = stages.map((stage) => stage.stage);
  const bar = (name, color, values) => ({
    type: "bar", orientation: "h", name, y: names, x: values, marker: { color },
    hovertemplate: "%{y}: %{x:,} %{fullData.name}<extra></extra>",
  });
  drawChart("funnel-chart", {
    traces: () => [
      bar("went on", style("--good"), stages.map((stage) => stage.rows_out)),
      ...reasons.map((reason) => bar(words(reason), series(known.indexOf(reason), "--rejections"),
        stages.map((stage) => stage.rejected[reason] ?? 0))),
    ],
    layout: { barmode: "stack", height: 60 + 44 * stages.length, yaxis: { autorange: "reversed" },
      xaxis: { tickformat: ",d" } },
    heads: ["Stage", "A row", "Rows in", "Rows out", "Rejected", "Of these"],
    rows: stages.map((stage) => [stage.stage, stage.unit, count(stage.rows_in), count(stage.rows_out),
      count(stage.rows_in - stage.rows_out), rejectionWords(stage.rejected), stage.note]),
    empty: "No stage is done yet.",
  });
}

function rejectionWords(rejected) {
  const parts = Object.entries(rejected).map(([reason, rows]) => `${count(rows)} ${words(reason)}`);
  return parts.join(", ") || "none";
}

function drawScores(run) {
  const share = (counts) => counts.map((number) => (100 * number) / Math.max(1, total(counts)));
  const lines = run.scores.flatMap(({ round, scored, selected }) => [
    { name: `round ${round}, all pairs`, counts: scored, round, dash: "solid" },
    ...(selected ? [{ name: `round ${round}, selected`, counts: selected, round, dash: "dot" }] : []),
  ]);
  const bins = lines.length ? lines[0].counts.length : 0;
  const edges = Array.from({ length: bins + 1 }, (_, number) => number / bins);
  drawChart("score-chart", {
    traces: () => lines.map(({ name, counts, round, dash }) => ({
      type: "scatter", mode: "lines", name, x: edges, y: [...share(counts), share(counts).at(-1)],
      line: { shape: "hv", color: series(round), width: 2, dash }, fill: dash === "solid" ? "tozeroy" : "none",
      fillcolor: `${series(round)}22`,
      hovertemplate: "from %{x:.2f}: %{y:.1f} %<extra>%{fullData.name}</extra>",
    })),
    layout: { xaxis: { range: [0, 1], title: { text: "LM-Score" } }, yaxis: { ticksuffix: " %", rangemode: "tozero" } },
    heads: ["LM-Score", ...lines.map((line) => line.name)],
    rows: Array.from({ length: bins }, (_, bin) => [`${edges[bin].toFixed(2)}–${edges[bin + 1].toFixed(2)}`,
      ...lines.map((line) => count(line.counts[bin]))]),
    empty: "No round has scores yet.",
  });
}

const BIN_TOKENS = 20; // of the histograms of an analysis
const NO_ANALYSIS = "inverse-instruct analyze RUN measures it.";

// The distributions of an analysis: [name, label of the axis, width of a bin, find the counts of a set].
/** @returns {any[]} */
function distributions({ sets }) {
  const benchmarks = (kind) => Object.keys(sets[0][kind]);
  return [
    ...["instruction", "response"].map((side) => [`${side}, tokens`, "words and signs", BIN_TOKENS,
      (set) => set[side].histogram]),
    ...benchmarks("similarity").map((name) => [`similarity to ${name}`, "cosine of TF-IDF vectors", 1 / 20,
      (set) => set.similarity[name].histogram]),
    ...benchmarks("embedded_similarity").map((name) => [`similarity to ${name}, embedded`, "cosine of embeddings",
      1 / 20, (set) => set.embedded_similarity[name].histogram]),
    ["edit ratio", "changed lines of all lines", 1 / 10, (set) => set.edits?.histogram],
  ].filter(([, , , find]) => sets.some(find));
}

function drawAnalysis({ analysis }) {
  const shown = analysis ? distributions(analysis) : [];
  const name = keepChoice(byId("analysis-measure"), shown.map(([title]) => [title, title]), 0);
  byId("analysis-choice").hidden = shown.length === 0;
  const [, unit, width, find] = shown.find(([title]) => title === name) ?? [];
  const sets = analysis && find ? analysis.sets.filter(find) : [];
  const bins = sets.length ? find(sets[0]).length : 0;
  const edge = (bin) => Number((bin * width).toFixed(2));
  const share = (set) => find(set).map((number) => (100 * number) / set.rows);
  drawChart("analysis-chart", {
    traces: () => sets.map((set, number) => ({
      type: "scatter", mode: "lines", name: set.name, x: Array.from({ length: bins + 1 }, (_, bin) => edge(bin)),
      y: [...share(set), share(set).at(-1)], line: { shape: "hv", color: series(number), width: 2 },
      hovertemplate: "from %{x}: %{y:.1f} %<extra>%{fullData.name}</extra>",
    })),
    layout: { xaxis: { title: { text: unit }, rangemode: "tozero" }, yaxis: { ticksuffix: " %", rangemode: "tozero" } },
    heads: [unit ?? "", ...sets.map((set) => `${set.name}, rows`)],
    rows: Array.from({ length: bins }, (_, bin) => [`from ${edge(bin)}`, ...sets.map((set) => count(find(set)[bin]))]),
    empty: NO_ANALYSIS,
  });
}

function drawKinds({ analysis }) {
  const kinds = { verbs_with_objects: "first verb and object", beginnings: "beginning", tasks: "task or intent",
    categories: "category, by embedding" };
  const there = Object.entries(kinds).filter(([kind]) => analysis?.sets.some((set) => set[kind].length));
  const kind = keepChoice(byId("kinds-measure"), there, 0);
  byId("kinds-choice").hidden = there.length === 0;
  const sets = there.length ? analysis.sets.filter((set) => set[kind].length) : [];
  const labels = [...new Set(sets.flatMap((set) => set[kind].slice(0, 12).map(([label]) => label)))];
  const rows = (set, label) => set[kind].find(([known]) => known === label)?.[1] ?? 0;
  drawChart("kinds-chart", {
    traces: () => sets.map((set, number) => ({
      type: "bar", orientation: "h", name: set.name, y: labels, marker: { color: series(number) },
      x: labels.map((label) => (100 * rows(set, label)) / set.rows),
      hovertemplate: "%{y}: %{x:.1f} %<extra>%{fullData.name}</extra>",
    })),
    layout: { barmode: "group", height: 60 + 16 * labels.length * Math.max(1, sets.length),
      xaxis: { ticksuffix: " %" }, yaxis: { autorange: "reversed" } },
    heads: [kinds[kind] ?? "", ...sets.map((set) => `${set.name}, rows`)],
    rows: labels.map((label) => [label, ...sets.map((set) => count(rows(set, label)))]),
    empty: NO_ANALYSIS,
  });
}

function drawTraining(run) {
  const measure = byId("training-measure").value;
  const label = byId("training-measure").selectedOptions[0].text;
  let before = 0;
  const curves = run.curves.map((curve) => {
    before = curve.phase === 0 ? 0 : before;
    const placed = { ...curve, name: `round ${curve.round} ${curve.data}`, at: curve.step.map((step) => step + before) };
    before += curve.steps;
    return placed;
  }).filter((curve) => curve.step.length);
  byId("training-choice").hidden = curves.length === 0;
  const dashes = ["solid", "dot", "dash"];
  drawChart("training-chart", {
    traces: () => curves.map((curve) => ({
      type: "scatter", mode: curve.step.length > 60 ? "lines" : "lines+markers", name: curve.name, x: curve.at,
      y: curve[measure], line: { color: series(curve.round), width: 2, dash: dashes[curve.phase % 3] },
      marker: { size: 4 }, hovertemplate: `step %{x}: %{y:.4g}<extra>${curve.name}</extra>`,
    })),
    layout: { xaxis: { title: { text: "step" }, rangemode: "tozero" },
      yaxis: { title: { text: label }, rangemode: "tozero", exponentformat: "e", showexponent: "all" } },
    heads: ["Phase", "Steps", `First ${label}`, `Last ${label}`],
    rows: curves.map((curve) => [curve.name, count(curve.steps), short(curve[measure][0]),
      short(curve[measure].at(-1))]),
    empty: "No model has been trained in this run yet.",
  });
}

const short = (number) => (number == null ? "–" : Number(number.toPrecision(4)).toString());

function drawCosts(run) {
  const stages = [...new Set(run.costs.map((cost) => cost.stage))];
  const rounds = run.rounds.map((round) => round.round);
  const find = (stage, round) => run.costs.find((cost) => cost.stage === stage && cost.round === round);
  const long = Math.max(0, ...run.costs.map((cost) => cost.seconds)) > 600;
  drawCost("time-chart", stages.map((stage) => ({
    name: stage, stage, number: 0, values: rounds.map((round) => find(stage, round)?.seconds ?? null) })), rounds, duration,
    long ? [60, " min"] : [1, " s"]);
  const kinds = stages.flatMap((stage) => [...new Set(run.costs.filter((cost) => cost.stage === stage)
    .flatMap((cost) => Object.keys(cost.tokens)))].map((kind, number) => ({ stage, kind, number, name: `${stage} ${kind}` })));
  drawCost("token-chart", kinds.map(({ stage, kind, number, name }) => ({
    name, stage, number, values: rounds.map((round) => find(stage, round)?.tokens[kind] ?? null) }))
    .filter(({ values }) => values.some(Boolean)), rounds, count, [1, ""]);
}

function drawCost(id, bars, rounds, show, [unit, suffix]) { // bars of one stage are told apart by stripes
  drawChart(id, {
    traces: () => bars.map(({ name, stage, number, values }) => ({
      type: "bar", name, x: rounds.map((round) => `round ${round}`), y: values.map((value) => value && value / unit),
      marker: { color: stageColor(stage), pattern: { shape: number ? "/" : "", fillmode: "overlay", size: 6, solidity: 0.5,
        fgcolor: style("--card") } }, text: values.map((value) => `${name}: ${show(value)}`),
      textposition: "none", hoverinfo: "text",
    })),
    layout: { barmode: "group", xaxis: { type: "category" }, yaxis: { ticksuffix: suffix } },
    heads: ["Round", ...bars.map((bar) => bar.name)],
    rows: bars.length ? rounds.map((round, at) => [count(round), ...bars.map((bar) => show(bar.values[at]))]) : [],
    empty: "No stage is done yet.",
  });
}

function drawHistory(run) {
  const kinds = { promote: "good", rollback: "warn" };
  byId("history-empty").hidden = run.history.length > 0;
  byId("history-list").replaceChildren(...run.history.map((entry) => element("li", {}, moment(entry.time),
    element("p", { class: "text" },
      entry.kind in kinds ? element("span", { class: `chip ${kinds[entry.kind]}` }, entry.kind) : null,
      entry.kind in kinds ? " " : null,
      entry.kind === "event" && entry.round != null ? `Round ${entry.round}: ` : null, visible(entry.text)))));
}

"use strict";
// The table of rounds and its charts.

// What is told of a round: [name, how it is shown]; `–` where it was not measured.
const ROUND_MEASURES = {
  "Checkpoint": checkpointChip,
  "pass@1 base, %": (round) => suiteCells(round, baseCell),
  "pass@1 plus, %": (round) => suiteCells(round, (suite) => interval(suite.plus)),
  "Self-consistency, % (plus)": (round) => suiteCells(round, consistencyCell),
  "Problems gained": (round) => problemList(round, round.gained),
  "Problems lost": (round) => problemList(round, round.lost),
  "p, one-sided, for worse": (round) => fixed(round.p_worse, 3),
  "Decision": (round) => (round.reason ? element("div", { class: "words" }, round.reason) : "–"),
  "Look at": (round) => (round.warnings.length
    ? round.warnings.map((warning) => element("div", { class: "words" }, warning)) : "–"),
  "Loss of the solutions": (round) => (round.suites.some((suite) => suite.solution_loss)
    ? suiteCells(round, (suite) => fixed(suite.solution_loss?.rate, 4)) : "–"),
  "Snippets": (round) => count(round.snippets),
  "Candidates": (round) => count(round.candidates),
  "Selected": (round) => count(round.selected),
  "Mean LM-Score": (round) => fixed(round.mean_lm_score, 3),
  "Own told from shuffled pairs, %": (round) => (round.discernment == null ? "–" : fixed(100 * round.discernment, 0)),
  "Verified, refuted, unverified": (round) => (round.verdicts == null ? "–"
    : Object.values(round.verdicts).map(count).join(", ")),
  "Loss, first → last": (round) => (round.loss_first == null ? "–"
    : `${fixed(round.loss_first, 3)} → ${fixed(round.loss_last, 3)}`),
  "Time": (round) => duration(round.seconds),
};

function drawRounds(run) {
  const rows = Object.entries(ROUND_MEASURES).map(([name, show]) => [name, ...run.rounds.map(show)])
    .filter(([, ...cells]) => cells.some((cell) => cell !== "–"));
  byId("rounds-empty").hidden = rows.length > 0;
  byId("rounds-table").hidden = rows.length === 0;
  fillTable(byId("rounds-table"), ["", ...run.rounds.map((round) => `Round ${round.round}`)], rows);
}

function checkpointChip(round) {
  if (!round.state) return "–";
  const kind = { promoted: "good", retired: "", candidate: "warn" }[round.state] ?? "";
  const label = round.state === "candidate" ? "not promoted" : round.state;
  return element("span", { class: `chip ${kind}`, title: `weights ${round.digest}` }, label);
}

function suiteCells(round, show) {
  if (!round.suites.length) return "–";
  return round.suites.map((suite) => element("div", {}, round.suites.length > 1 ? quiet(suite.suite) : null,
    show(suite)));
}

const quiet = (text) => element("span", { class: "quiet" }, text);
const total = (counts) => Object.values(counts).reduce((sum, number) => sum + number, 0);

function baseCell({ base, problems, not_measured }) {
  const unmeasured = total(not_measured);
  const note = unmeasured ? `of ${count(problems)}, ${count(unmeasured)} not measured` : `of ${count(problems)}`;
  return [interval(base), quiet(note)];
}

function consistencyCell({ consistency }) {
  if (!consistency?.base) return "–";
  const removed = total(consistency.removed);
  return [`${percent(consistency.base.rate)} (${percent(consistency.plus.rate)})`,
    quiet(`of ${count(consistency.problems)}, ${removed ? `${count(removed)} removed` : "none removed"}`)];
}

function problemList(round, problems) {
  if (round.p_worse == null) return "–"; // there was nothing to compare with
  if (!problems.length) return "0";
  return element("details", {}, element("summary", {}, count(problems.length)),
    element("ul", { class: "quiet" }, problems.map((problem) => element("li", {}, problemLink(problem, round.round)))));
}

// A problem as decisions name it, `SUITE: TASK`, as a link to its page, which a report does not have.
function problemLink(problem, round) {
  const [suite, task] = problem.split(/: (.*)/s);
  return isLive ? element("a", { href: `problems${placeLink("problem", { suite, task, round })}` }, visible(problem))
    : visible(problem);
}

function drawRateCharts(run) {
  const names = [...new Set(run.rounds.flatMap((round) => round.suites.map((suite) => suite.suite)))];
  const lines = names.flatMap((name) => ["base", "plus"].map((kind) => ({ name, kind, label: `${name} ${kind}` })));
  const suite = (round, name) => round.suites.find((known) => known.suite === name);
  drawRates("pass-chart", run.rounds, lines, (round, line) => suite(round, line.name)?.[line.kind],
    "No round has been evaluated yet.");
  drawRates("consistency-chart", run.rounds, lines,
    (round, line) => suite(round, line.name)?.consistency?.[line.kind], "Self-consistency has not been measured.");
}

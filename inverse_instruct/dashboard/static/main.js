"use strict";
// Where the data comes from: inside a report, or from the server, asked again while the run goes on.

const RUNNING_MS = 2000;
const RESTING_MS = 10000;
let run = null;
/** @type {[(run: any) => void, string[]][]} */
const sections = [
  [drawHead, ["name", "state", "rounds_wanted", "rounds"]], [drawNow, ["state", "under_way"]], [drawReview, ["review"]],
  [drawRounds, ["rounds"]], [drawRateCharts, ["rounds"]], [drawFunnel, ["funnel"]], [drawScores, ["scores"]],
  [drawAnalysis, ["analysis"]], [drawKinds, ["analysis"]],
  [drawTraining, ["curves"]], [drawCosts, ["costs", "rounds"]], [drawHistory, ["history"]], [offerRounds, ["rounds"]],
];

function show(next) { // draw anew only what has changed, so that open parts and the focus stay
  for (const [draw, names] of sections) {
    const shown = (data) => JSON.stringify(names.map((name) => data[name]));
    if (run === null || shown(run) !== shown(next)) draw(next);
  }
  run = next;
}

async function poll(tag) {
  let wait = RESTING_MS;
  try {
    const reply = await fetch("data.json", { cache: "no-store", headers: tag ? { "If-None-Match": tag } : {} });
    if (reply.status !== 304) {
      const body = await reply.json();
      if (!reply.ok) throw new Error(body.error);
      show(body);
      tag = reply.headers.get("ETag");
    }
    byId("notice").hidden = true;
    wait = run.state === "running" ? RUNNING_MS : RESTING_MS;
  } catch (error) {
    byId("notice").textContent = `The dashboard cannot be reached: ${error.message}. What is below may be old.`;
    byId("notice").hidden = false;
  }
  setTimeout(() => (document.hidden ? document.addEventListener("visibilitychange", () => poll(tag), { once: true })
    : poll(tag)), wait);
}

byId("funnel-round").addEventListener("change", () => drawFunnel(run));
byId("analysis-measure").addEventListener("change", () => drawAnalysis(run));
byId("kinds-measure").addEventListener("change", () => drawKinds(run));
byId("training-measure").addEventListener("change", () => drawTraining(run));
if (!isLive) {
  const { run: data, rows, made } = JSON.parse(byId("report-data").textContent);
  startBrowser(askReport(rows));
  byId("made").append(" · report of ", moment(made));
  show(data);
} else {
  startBrowser(askServer);
  poll(null);
}

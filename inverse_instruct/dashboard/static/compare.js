"use strict";
// The page that compares runs of one folder: their measures by round, and the fields of their configs that differ.

const MOST = 4; // runs that are chosen at first
/** @type {{ asked: number, body: any }} */
const compared = { asked: 0, body: null };

async function showRuns() {
  const number = ++compared.asked;
  const place = readPlace("compare");
  try {
    const body = await fetchJson("compare.json", place ?? "");
    if (number !== compared.asked) return;
    byId("notice").hidden = true;
    if (place) drawCompared(body);
    else goTo(placeLink("compare", { run: [body.own, ...body.known.filter((name) => name !== body.own)].slice(0, MOST) }),
      { replace: true });
  } catch (error) {
    byId("notice").textContent = `The runs cannot be compared: ${error.message}`;
    byId("notice").hidden = false;
  }
}

function drawCompared(body) {
  compared.body = body;
  const names = body.runs.map((run) => run.folder);
  byId("runs-list").replaceChildren(...body.known.map((name) => element("label", {},
    element("input", { type: "checkbox", value: name, checked: names.includes(name) }), ` ${visible(name)}`)));
  byId("runs-count").textContent = names.length > 1 ? `${plural(names.length, "run")} side by side.`
    : "Choose two runs or more.";
  drawComparedRates();
  drawComparedMeasures(body.runs);
  const same = byId("fields-empty");
  same.hidden = body.fields.length > 0;
  byId("fields-table").hidden = body.fields.length === 0;
  fillTable(byId("fields-table"), ["Field", ...names.map(visible)], body.fields.map(({ key, values }) => [
    visible(key).split(/(?<=[._])/).flatMap((part) => [part, element("wbr")]), // lines end behind a dot
    ...values.map((value) => (value === null ? quiet("not there") : element("div", { class: "value" },
      boundedText(visible(value)))))]));
}

function drawComparedRates() {
  const { runs } = compared.body;
  const suites = runs.flatMap((run) => run.rounds.flatMap((round) => round.suites));
  const pairs = [...new Set(suites.map((suite) => suite.suite))].flatMap((name) => ["base", "plus"]
    .filter((kind) => suites.some((suite) => suite.suite === name && suite[kind]))
    .map((kind) => [`${kind} ${name}`, `pass@1 ${kind}, ${name}`]));
  const [kind, name] = keepChoice(byId("rates-measure"), pairs).split(/ (.*)/s);
  const numbers = roundNumbers(runs).map((round) => ({ round }));
  const find = ({ round }, { run }) => run.rounds.find((known) => known.round === round)?.suites
    .find((suite) => suite.suite === name)?.[kind];
  byId("rates-choice").hidden = pairs.length === 0;
  drawRates("rates-chart", numbers, runs.map((run) => ({ label: visible(run.folder), run })), find,
    "No round has been evaluated yet.");
}

const roundNumbers = (runs) => [...new Set(runs.flatMap((run) => run.rounds.map((round) => round.round)))]
  .sort((one, other) => one - other);

function drawComparedMeasures(runs) {
  const table = byId("measures-table");
  const find = (run, number) => run.rounds.find((round) => round.round === number);
  fillTable(table, ["", ...runs.map((run) => visible(run.folder))], []);
  table.querySelector("tbody")?.remove();
  for (const number of roundNumbers(runs)) {
    const rows = Object.entries(ROUND_MEASURES).filter(([name]) => !name.startsWith("Problems")) // these are of one run
      .map(([name, show]) => [name, ...runs.map((run) => (find(run, number) ? show(find(run, number)) : "–"))])
      .filter(([, ...cells]) => cells.some((cell) => cell !== "–"));
    table.append(element("tbody", {},
      element("tr", { class: "group" }, element("th", { scope: "rowgroup", colspan: runs.length + 1 }, roundName(number))),
      rows.map(tableRow)));
  }
}

byId("runs-form").addEventListener("change", () => {
  const chosen = [...document.querySelectorAll("#runs-list input:checked")];
  goTo(placeLink("compare", { run: chosen.map((box) => /** @type {HTMLInputElement} */ (box).value) }));
});
byId("rates-measure").addEventListener("change", drawComparedRates);
addEventListener("hashchange", showRuns);
showRuns();

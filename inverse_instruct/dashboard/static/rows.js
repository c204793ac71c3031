"use strict";
// The data browser. Rows come from the server, or, in a report, from those inside it: `askRows` hides which.

const SHORT_CODE_LINES = 14;
const SHORT_TEXT = 700;
const PAGE_ROWS = 10;
const browser = { page: 1, asked: 0, askRows: askServer, state: "" };

async function askServer({ round, page, search, outcome, order }) {
  const reply = await fetch(`rows?${new URLSearchParams({ round, page, q: search, outcome, order })}`);
  const body = await reply.json();
  if (!reply.ok) throw new Error(body.error);
  return body;
}

// The same filter and order as the server's, over the rows in the report.
function askReport(embedded) {
  return async ({ round, page, search, outcome, order }) => {
    const known = embedded[round];
    const text = search.toLowerCase();
    const best = (row) => Math.max(row.score ?? -1, ...(row.candidates ?? []).map((candidate) => candidate.score ?? -1));
    const rows = known.rows.filter((row) => (!outcome || outcomesOf(row).includes(outcome)) &&
      (!text || textsOf(row).some((part) => part.toLowerCase().includes(text))));
    if (order !== "corpus") {
      const sign = order === "best" ? -1 : 1;
      rows.sort((one, other) => Number(best(one) < 0) - Number(best(other) < 0) || sign * (best(one) - best(other)));
    }
    return { ...known, page, matched: rows.length, pages: Math.max(1, Math.ceil(rows.length / PAGE_ROWS)),
      first: (page - 1) * PAGE_ROWS + 1, rows: rows.slice((page - 1) * PAGE_ROWS, page * PAGE_ROWS) };
  };
}

const outcomesOf = (row) => row.candidates?.map((candidate) => candidate.outcome) ?? [row.outcome];

function textsOf(row) {
  const own = row.candidates ? [row.code, row.source]
    : row.code == null ? [row.detail, row.row_id]
      : [row.code, row.instruction, row.source, row.input, ...(row.ancestors ? [row.detail, row.said] : [])];
  return [...own, ...(row.candidates ?? []).map((candidate) => candidate.text)].filter((text) => text != null);
}

function offerRounds(run) {
  const pairs = run.rounds.map((round) => [String(round.round), roundName(round.round)]);
  const before = byId("rows-round").value;
  const chosen = keepChoice(byId("rows-round"), pairs);
  const round = run.rounds.find((known) => String(known.round) === chosen);
  const state = JSON.stringify([round?.candidates, round?.selected]); // changes when a stage of it is done
  if (chosen !== before || state !== browser.state) showPage(chosen === before ? browser.page : 1);
  browser.state = state;
}

async function showPage(page) {
  const number = ++browser.asked;
  const query = { round: byId("rows-round").value, page, search: byId("rows-search").value,
    outcome: byId("rows-outcome").value, order: byId("rows-order").value };
  if (query.round === "") return;
  try {
    const reply = await browser.askRows(query);
    if (number === browser.asked) drawRows(reply, query);
  } catch (error) {
    byId("rows-count").textContent = `The rows cannot be shown: ${error.message}`;
  }
}

function drawRows(reply, query) {
  browser.page = reply.page;
  const pairs = [["", `all (${count(total(reply.outcomes))})`], ...Object.entries(reply.outcomes)
    .map(([outcome, number]) => [outcome, `${words(outcome)} (${count(number)})`])];
  const select = byId("rows-outcome");
  select.replaceChildren(...pairs.map(([value, label]) => option(value, label, query.outcome)));
  if (select.value !== query.outcome) return restart(select);
  byId("rows-count").textContent = countLine(reply, query);
  byId("rows-list").replaceChildren(...reply.rows.map((row, at) => rowArticle(row, reply.first + at)));
  byId("rows-page").textContent = `Page ${count(reply.page)} of ${count(reply.pages)}`;
  byId("rows-previous").disabled = reply.page <= 1;
  byId("rows-next").disabled = reply.page >= reply.pages;
}

function restart(select) { // the round has no row of the outcome that was chosen
  select.value = "";
  showPage(1);
}

function countLine(reply, query) {
  const rows = query.round === "0" || reply.rows.some((row) => row.ancestors) ? "row" : "snippet";
  if (!reply.total) return "There are no rows yet.";
  const held = reply.available < reply.total
    ? ` The report holds the first ${count(reply.available)} of ${plural(reply.total, rows)}.` : "";
  if (!query.search && !query.outcome) return held ? held.trim() : `${plural(reply.total, rows)}.`;
  return `${plural(reply.matched, rows)} of ${count(reply.available)} found.${held}`;
}

function rowArticle(row, number) {
  const title = element("h3", {}, element("span", { class: "quiet" }, `${count(number)}.`),
    element("span", { class: "place" }, row.source == null ? `row ${row.row_id}`
      : visible(`${row.source}:${row.line}`)),
    row.task ? element("span", { class: "chip" }, visible(row.task)) : null,
    row.language ? element("span", { class: "chip" }, row.language) : null,
    row.candidates ? element("span", { class: "quiet" }, candidateCount(row.candidates))
      : element("span", { class: `chip ${["kept", "selected"].includes(row.outcome) ? "good" : ""}` }, words(row.outcome)));
  return element("article", { class: "row" }, title,
    row.detail ? element("p", { class: "text quiet" }, visible(row.detail)) : null,
    row.instruction && row.ancestors ? element("p", { class: "text" }, visible(row.instruction)) : null,
    row.instruction && !row.ancestors
      ? folded("The corpus's own instruction", element("p", { class: "text" }, visible(row.instruction))) : null,
    row.input ? [element("p", { class: "quiet" }, "What it is about:"), codeBlock(row.input)] : null,
    row.code == null ? null : codeBlock(row.code),
    row.said ? element("p", { class: "text quiet" }, visible(row.said)) : null,
    row.score == null ? null : scoreMeter(row.score),
    row.ancestors?.length ? folded(`Made from ${plural(row.ancestors.length, "row")}`,
      element("ol", { class: "candidates" }, row.ancestors.map(ancestorItem))) : null,
    row.candidates?.length ? element("ol", { class: "candidates" }, row.candidates.map(candidateItem)) : null,
    row.row_id && row.source != null ? element("p", { class: "seed" }, `source row ${row.row_id} · snippet ${row.id}`)
      : null);
}

function candidateCount(candidates) {
  if (!candidates.length) return "no candidates yet";
  const chosen = candidates.filter((candidate) => candidate.outcome === "selected").length;
  return `${plural(candidates.length, "candidate")}, ${chosen ? count(chosen) : "none"} selected`;
}

function codeBlock(code) {
  const lines = code.split("\n").length;
  const block = element("pre", { tabindex: 0, "aria-label": "code" }, element("code", {}, visible(code)));
  return lines <= SHORT_CODE_LINES ? block : folded(`Code, ${plural(lines, "line")}`, block);
}

const folded = (label, content) => element("details", {}, element("summary", {}, label), content);

function candidateItem(candidate) {
  const chosen = candidate.outcome === "selected";
  const text = visible(candidate.text);
  return element("li", { class: chosen ? "chosen" : null },
    element("div", { class: "verdict" },
      element("span", { class: "quiet" }, `candidate ${candidate.k + 1}`),
      element("span", { class: `chip ${chosen ? "good" : ""}` }, chosen ? "✓ selected" : words(candidate.outcome)),
      candidate.score == null ? null : scoreMeter(candidate.score),
      element("span", { class: "quiet" }, candidate.detail
        ? visible(candidate.detail) : chosen ? "" : candidate.stage && `rejected by ${candidate.stage}`)),
    text.length <= SHORT_TEXT ? element("p", { class: "text" }, text) : longText(text),
    element("p", { class: "seed" }, visible(seedLine(candidate))));
}

function ancestorItem({ round, stage, place, text }) {
  return element("li", {}, element("span", { class: "quiet" }, visible(`round ${round} ${stage} ${place}`)),
    text.length <= SHORT_TEXT ? element("p", { class: "text" }, visible(text)) : longText(visible(text)));
}

function longText(text) {
  return [element("p", { class: "text" }, `${text.slice(0, SHORT_TEXT / 2)}…`),
    folded(`All ${plural(text.length, "character")}`, element("p", { class: "text" }, text))];
}

function seedLine({ seed, prefix, prompt, model, prompt_tokens, completion_tokens }) {
  if (prefix == null) return `seed ${seed}`;
  return `seed ${seed} · prompt ${prompt} · begins with “${prefix}” · model ${model} · ` +
    `${count(prompt_tokens)} + ${count(completion_tokens)} tokens`;
}

function scoreMeter(score) {
  const fill = element("i");
  fill.style.width = `${100 * score}%`;
  return element("span", { class: "score" }, `LM-Score ${score.toFixed(3)}`,
    element("span", { class: "bar", "aria-hidden": "true" }, fill));
}

function startBrowser(askRows) {
  browser.askRows = askRows;
  let waiting = 0;
  byId("rows-form").addEventListener("submit", (event) => event.preventDefault());
  for (const id of ["rows-round", "rows-outcome", "rows-order"]) {
    byId(id).addEventListener("change", () => showPage(1));
  }
  byId("rows-search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => showPage(1), 250);
  });
  const turn = (step) => async () => {
    await showPage(browser.page + step);
    byId("rows-count").scrollIntoView({ block: "start" });
  };
  byId("rows-previous").addEventListener("click", turn(-1));
  byId("rows-next").addEventListener("click", turn(1));
}

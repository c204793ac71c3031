"use strict";
// The data browser. Rows come from the server, or, in a report, from those inside it: `askRows` hides which. What is
// asked for is the place `rows` of the page; where that is not named, the first page of the last round is shown.

const PAGE_ROWS = 10;
const FIELDS = ["round", "outcome", "order", "search"]; // of the form
const askServer = ({ search, ...query }) => fetchJson("rows", { q: search, ...query });
const browser = { query: { round: "", page: 1, search: "", outcome: "", order: "corpus", row: "" }, pages: 1, asked: 0,
  askRows: askServer, state: "" };

// The same filter and order as the server's, over the rows in the report.
function askReport(embedded) {
  return async ({ round, page, search, outcome, order, row: name }) => {
    const known = embedded[round];
    const text = search.toLowerCase();
    const best = (row) => Math.max(row.score ?? -1, ...(row.candidates ?? []).map((candidate) => candidate.score ?? -1));
    const rows = known.rows.filter((row) => (!outcome || outcomesOf(row).includes(outcome)) &&
      (!name || idsOf(row).includes(name)) &&
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
const idsOf = (row) => [row.id, row.row_id, ...(row.candidates ?? []).map((candidate) => candidate.id)];

function textsOf(row) {
  const own = row.candidates ? [row.code, row.source]
    : row.code == null ? [row.detail, row.row_id]
      : [row.code, row.instruction, row.source, row.input, ...(row.ancestors ? [row.detail, row.said] : [])];
  return [...own, ...(row.candidates ?? []).map((candidate) => candidate.text)].filter((text) => text != null);
}

function offerRounds(run) {
  const select = byId("rows-round");
  const before = select.value;
  const pairs = run.rounds.map((round) => [String(round.round), roundName(round.round)]);
  const chosen = before ? keepChoice(select, pairs) : chooseIn(select, pairs, browser.query.round);
  const round = run.rounds.find((known) => String(known.round) === chosen);
  const state = JSON.stringify([round?.candidates, round?.selected]); // changes when a stage of it is done
  if (chosen !== before || state !== browser.state) {
    showRows({ ...browser.query, round: chosen }, before ? "" : readPlace("rows") && "list");
  }
  browser.state = state;
}

function chooseIn(select, pairs, wanted) {
  keepChoice(select, pairs);
  if (pairs.some(([value]) => value === wanted)) select.value = wanted;
  return select.value;
}

// Ask for rows and draw them; `scroll` names what is brought into view then: the "list", or nothing.
async function showRows(query, scroll) {
  const number = ++browser.asked;
  browser.query = query;
  if (query.round === "") return;
  for (const field of FIELDS) {
    if (field !== "outcome" && document.activeElement !== byId(`rows-${field}`)) byId(`rows-${field}`).value = query[field];
  }
  try {
    const reply = await browser.askRows(query);
    if (number !== browser.asked) return;
    drawRows(reply, query);
    if (scroll) bringIntoView(query);
  } catch (error) {
    byId("rows-count").textContent = `The rows cannot be shown: ${error.message}`;
  }
}

function bringIntoView({ row }) {
  const linked = row && document.querySelector("#rows-list [aria-current]");
  (linked || byId("rows-count")).scrollIntoView({ block: "start" });
}

function drawRows(reply, query) {
  browser.pages = reply.pages;
  const pairs = [["", `all (${count(total(reply.outcomes))})`], ...Object.entries(reply.outcomes)
    .map(([outcome, number]) => [outcome, `${words(outcome)} (${count(number)})`])];
  const select = byId("rows-outcome");
  select.replaceChildren(...pairs.map(([value, label]) => option(value, label, query.outcome)));
  if (select.value !== query.outcome) { // the round has no row of the outcome that was chosen
    ask({ outcome: "" }, { replace: true });
    return;
  }
  byId("rows-count").replaceChildren(`${countLine(reply, query)} `, query.row
    ? element("a", { href: placeLink("rows", { round: query.round }) }, "Show all rows") : "");
  byId("rows-list").replaceChildren(...reply.rows.map((row, at) => rowArticle(row, reply.first + at, query)));
  byId("rows-page").textContent = `Page ${count(reply.page)} of ${count(reply.pages)}`;
  byId("rows-previous").disabled = reply.page <= 1;
  byId("rows-next").disabled = reply.page >= reply.pages;
}

function countLine(reply, query) {
  const rows = query.round === "0" || reply.rows.some((row) => row.ancestors) ? "row" : "snippet";
  if (!reply.total) return "There are no rows yet.";
  const held = reply.available < reply.total
    ? ` The report holds the first ${count(reply.available)} of ${plural(reply.total, rows)}.` : "";
  if (!query.search && !query.outcome && !query.row) return held ? held.trim() : `${plural(reply.total, rows)}.`;
  return `${plural(reply.matched, rows)} of ${count(reply.available)} found.${held}`;
}

// Go to what is asked for now, changed; a change of the form goes to the first page of it.
function ask(changes, options = {}) {
  const query = { ...browser.query, page: 1, row: "", ...changes };
  goTo(placeLink("rows", { ...query, page: query.page === 1 ? "" : query.page,
    order: query.order === "corpus" ? "" : query.order }), options);
}

function readQuery() {
  const place = location.hash === "" ? new URLSearchParams() : readPlace("rows");
  return place && {
    round: place.get("round") ?? byId("rows-round").lastElementChild?.getAttribute("value") ?? "",
    page: Number(place.get("page") ?? 1), row: place.get("row") ?? "",
    search: place.get("search") ?? "", outcome: place.get("outcome") ?? "", order: place.get("order") ?? "corpus",
  };
}

function startBrowser(askRows) {
  browser.askRows = askRows;
  browser.query = readQuery() ?? browser.query;
  addEventListener("hashchange", () => {
    const query = readQuery();
    if (query) showRows(query, query.row || query.page !== browser.query.page ? "list" : "");
  });
  let waiting = 0;
  byId("rows-form").addEventListener("submit", (event) => event.preventDefault());
  for (const field of ["round", "outcome", "order"]) {
    byId(`rows-${field}`).addEventListener("change", () => ask({ [field]: byId(`rows-${field}`).value }));
  }
  byId("rows-search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => ask({ search: byId("rows-search").value }, { replace: true }), 250);
  });
  const turn = (step) => {
    const page = browser.query.page + step;
    if (page >= 1 && page <= browser.pages) ask({ page });
  };
  byId("rows-previous").addEventListener("click", () => turn(-1));
  byId("rows-next").addEventListener("click", () => turn(1));
  listenToKeys(byId("rows"), ".row", turn);
}

"use strict";
// One row of the data browser: a snippet with its candidates, or a row with what it was made from.

function rowArticle(row, number, { round, row: linked }) {
  const name = row.id || row.row_id;
  const place = row.source == null ? `row ${row.row_id}` : visible(`${row.source}:${row.line}`);
  const title = element("h3", {}, element("span", { class: "quiet" }, `${count(number)}.`),
    element("a", { class: "place", href: placeLink("rows", { round, row: name }), title: "Link to this row" }, place),
    row.task ? element("span", { class: "chip" }, visible(row.task)) : null,
    row.language ? element("span", { class: "chip" }, row.language) : null,
    row.candidates ? element("span", { class: "quiet" }, candidateCount(row.candidates))
      : element("span", { class: `chip ${["kept", "selected"].includes(row.outcome) ? "good" : ""}` }, words(row.outcome)));
  const isLinked = linked !== "" && [row.id, row.row_id].includes(linked);
  return element("article", { class: "row", tabindex: -1, "aria-current": isLinked ? "true" : null }, title,
    row.detail ? boundedText(visible(row.detail), "text quiet") : null,
    row.instruction && row.ancestors ? boundedText(visible(row.instruction)) : null,
    row.instruction && !row.ancestors
      ? folded("The corpus's own instruction", element("p", { class: "text" }, visible(row.instruction))) : null,
    row.input ? [element("p", { class: "quiet" }, "What it is about:"), codeBlock(row.input)] : null,
    row.code == null ? null : codeBlock(row.code),
    row.said ? boundedText(visible(row.said), "text quiet") : null,
    row.score == null ? null : scoreMeter(row.score),
    row.ancestors?.length ? folded(`Made from ${plural(row.ancestors.length, "row")}`,
      element("ol", { class: "candidates" }, row.ancestors.map(ancestorItem))) : null,
    row.candidates?.length ? element("ol", { class: "candidates" },
      row.candidates.map((candidate) => candidateItem(candidate, round, candidate.id === linked))) : null,
    row.outcome === "selected" && !row.candidates ? leaveOutBox(name, round) : null,
    row.row_id && row.source != null ? element("p", { class: "seed" }, `source row ${row.row_id} · snippet ${row.id}`)
      : null);
}

function candidateCount(candidates) {
  if (!candidates.length) return "no candidates yet";
  const chosen = candidates.filter((candidate) => candidate.outcome === "selected").length;
  return `${plural(candidates.length, "candidate")}, ${chosen ? count(chosen) : "none"} selected`;
}

function candidateItem(candidate, round, isLinked) {
  const chosen = candidate.outcome === "selected";
  return element("li", { class: chosen ? "chosen" : null, "aria-current": isLinked ? "true" : null },
    element("div", { class: "verdict" },
      element("a", { class: "quiet", href: placeLink("rows", { round, row: candidate.id }), title: "Link to this candidate" },
        `candidate ${candidate.k + 1}${candidate.earlier ? " of an earlier round" : ""}`),
      element("span", { class: `chip ${chosen ? "good" : ""}` }, chosen ? "✓ selected" : words(candidate.outcome)),
      candidate.score == null ? null : scoreMeter(candidate.score),
      element("span", { class: "quiet" }, candidate.detail
        ? visible(candidate.detail) : chosen ? "" : candidate.stage && `rejected by ${candidate.stage}`)),
    boundedText(visible(candidate.text)),
    chosen ? leaveOutBox(candidate.id, round) : null,
    element("p", { class: "seed" }, visible(seedLine(candidate))));
}

function ancestorItem({ round, stage, place, text }) {
  return element("li", {}, element("span", { class: "quiet" }, visible(`round ${round} ${stage} ${place}`)),
    boundedText(visible(text)));
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

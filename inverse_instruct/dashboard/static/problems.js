"use strict";
// The page of benchmark problems: the list with each round's verdict, and one problem with two rounds side by side.

const asking = { page: 1, pages: 1, asked: 0 };

// Draw the place that the address names; what came late for another one is dropped.
async function showPlace() {
  const number = ++asking.asked;
  const problem = readPlace("problem");
  const query = readPlace("problems") ?? new URLSearchParams();
  try {
    const body = problem ? await fetchJson("problem.json", problem) : await fetchJson("problems.json", query);
    if (number !== asking.asked) return;
    byId("notice").hidden = true;
    byId("list").hidden = Boolean(problem);
    byId("problem").hidden = !problem;
    if (problem) drawProblem(body, problem.getAll("round").map(Number));
    else drawList(body, query);
  } catch (error) {
    byId("notice").textContent = `The problems cannot be shown: ${error.message}`;
    byId("notice").hidden = false;
  }
}

function drawList(body, query) {
  [asking.page, asking.pages] = [body.page, body.pages];
  byId("problems-suite").replaceChildren(...body.suites.map((name) => option(name, name, body.suite)));
  byId("problems-show").value = query.get("show") ?? "";
  if (document.activeElement !== byId("problems-search")) byId("problems-search").value = query.get("q") ?? "";
  const found = body.matched === body.total ? "" : ` of ${count(body.total)} found`;
  byId("problems-count").textContent = body.suites.length ? `${plural(body.matched, "problem")}${found}.`
    : "No round has been evaluated yet.";
  const rounds = body.rounds.map((round) => `Round ${round}`);
  fillTable(byId("problems-table"), ["Problem", ...rounds], body.problems.map(({ task, verdicts }) => [
    element("a", { href: placeLink("problem", { suite: body.suite, task, round: lastTwo(body.rounds, verdicts) }) },
      visible(task)),
    ...verdicts.map(verdictChip)]));
  byId("problems-page").textContent = `Page ${count(body.page)} of ${count(body.pages)}`;
  byId("problems-previous").disabled = body.page <= 1;
  byId("problems-next").disabled = body.page >= body.pages;
}

// The rounds to look at first: the last two that measured the problem.
const lastTwo = (rounds, verdicts) => rounds.filter((_, at) => verdicts[at]).slice(-2);

function verdictChip(verdict) {
  if (!verdict) return element("span", { class: "quiet" }, "not measured");
  const { samples, passed, reason } = verdict;
  if (!samples) return element("span", { class: "chip warn", title: visible(reason ?? "") }, "no answer");
  const kind = passed === samples ? "good" : passed ? "warn" : "bad";
  const share = samples > 1 ? `${count(passed)} of ${count(samples)}` : passed ? "✓" : "✗";
  return element("span", { class: `chip ${kind}` }, share,
    element("span", { class: "why" }, ` ${passed === samples ? "passed" : words(reason ?? "failed")}`));
}

function drawProblem(body, wanted) {
  const rounds = Object.keys(body.verdicts).map(Number).filter((round) => body.verdicts[round]);
  if (wanted.length !== Math.min(2, rounds.length) || wanted.some((round) => !rounds.includes(round))) {
    const shown = beside(wanted.filter((round) => rounds.includes(round)), rounds); // a link that named one round, or none
    goTo(placeLink("problem", { suite: body.suite, task: body.task, round: shown }), { replace: true });
    return;
  }
  byId("problem-title").textContent = visible(`${body.suite}: ${body.task}`);
  byId("problem-verdicts").replaceChildren(...Object.entries(body.verdicts).map(([round, verdict]) =>
    element("li", {}, `Round ${round} `, verdictChip(verdict))));
  byId("problem-back").setAttribute("href", placeLink("problems", { suite: body.suite }));
  byId("problem-prompt").replaceChildren(...(body.request === null ? [element("p", { class: "empty" }, body.why_no_prompt)]
    : [body.request ? codeBlock(body.request, "prompt") : null,
      body.beginning ? folded("How the answer had to begin", codeBlock(body.beginning, "beginning of the answer")) : null]
      .filter(Boolean)));
  byId("problem-answers").replaceChildren(...wanted.map((round, side) =>
    answersOf(body, round, rounds, (other) => {
      const chosen = wanted.with(side, other);
      goTo(placeLink("problem", { suite: body.suite, task: body.task, round: chosen }));
    })));
}

// The rounds to show: those that are named, and the ones that come last before them.
function beside(named, rounds) {
  const before = rounds.filter((round) => !named.length || round < Math.max(...named));
  const after = rounds.filter((round) => !before.includes(round));
  return [...new Set([...named, ...before.toReversed(), ...after])].slice(0, 2).sort((one, other) => one - other);
}

function answersOf(body, round, rounds, choose) {
  const select = element("select", {}, rounds.map((known) => option(String(known), roundName(known), String(round))));
  select.addEventListener("change", () => choose(Number(select.value)));
  const answers = body.answers[round] ?? [];
  const { samples } = body.verdicts[round];
  return element("section", { class: "answers", "aria-label": `Answer of round ${round}` },
    element("p", {}, element("label", {}, "Answer of ", select)),
    answers.length < samples ? element("p", { class: "note" }, `The first ${answers.length} of ${plural(samples, "sample")}.`) : null,
    samples ? null : element("p", { class: "empty" }, visible(body.verdicts[round].reason ?? "The model gave no answer.")),
    answers.map((answer) => answerPart(answer, samples > 1)));
}

function answerPart({ sample, solution, passed, base, reason, detail, failing_test: test }, isOneOfMany) {
  const failed = base ? "passes the base tests only" : "fails";
  return element("div", { class: "answer" },
    element("p", {}, isOneOfMany ? `Sample ${sample + 1} ` : "",
      element("span", { class: `chip ${passed ? "good" : "bad"}` }, passed ? "✓ passes all tests" : `✗ ${failed}: ${words(reason ?? "")}`)),
    codeBlock(solution, "answer"),
    passed ? null : [element("p", { class: "quiet" }, "The test that failed:"),
      test ? codeBlock(test, "failing test") : null,
      boundedText(visible(detail || "nothing more is known"))]);
}

const listLink = (changes) => placeLink("problems", {
  suite: byId("problems-suite").value, show: byId("problems-show").value, q: byId("problems-search").value, ...changes });

function startProblems() {
  let waiting = 0;
  byId("problems-form").addEventListener("submit", (event) => event.preventDefault());
  for (const id of ["problems-suite", "problems-show"]) byId(id).addEventListener("change", () => goTo(listLink({})));
  byId("problems-search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => goTo(listLink({}), { replace: true }), 250);
  });
  const turn = (step) => {
    const page = asking.page + step;
    if (page >= 1 && page <= asking.pages) goTo(listLink({ page }));
  };
  byId("problems-previous").addEventListener("click", () => turn(-1));
  byId("problems-next").addEventListener("click", () => turn(1));
  listenToKeys(byId("list"), "tbody a", turn);
  addEventListener("hashchange", showPlace);
  showPlace();
}

startProblems();

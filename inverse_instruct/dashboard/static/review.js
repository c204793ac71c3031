"use strict";
// A run that waits for a person: selected rows are ticked here, the command that leaves them out is typed on a terminal.

/** @type {{ round: string | null, command: string, leftOut: Set<string> }} */
const review = { round: null, command: "", leftOut: new Set() };

function drawReview({ review: waiting }) {
  byId("review").hidden = waiting === null;
  const round = waiting && String(waiting.round);
  if (round !== review.round) review.leftOut.clear();
  review.round = round;
  review.command = waiting?.command ?? "";
  drawCommand();
}

function drawCommand() {
  const number = review.leftOut.size;
  byId("review-lead").replaceChildren(`Round ${review.round} trains when you have looked at its selected rows: tick those to `,
    "leave out ", element("a", { href: placeLink("rows", { round: review.round, outcome: "selected" }) }, "among the data"),
    `, then type this${number ? `, which leaves out ${plural(number, "row")}` : ", which leaves out none"}:`);
  byId("review-command").textContent = number
    ? `${review.command} --leave-out ${[...review.leftOut].join(" ")} --reason 'why'` : `${review.command} --accept`;
}

// A box to tick at a selected row of the round that waits; nothing at any other one.
function leaveOutBox(name, round) {
  if (round !== review.round || !/^[\w/]+$/.test(name)) return null; // it is going to stand in a command
  const box = /** @type {HTMLInputElement} */ (element("input", { type: "checkbox", checked: review.leftOut.has(name) }));
  box.addEventListener("change", () => {
    if (box.checked) review.leftOut.add(name);
    else review.leftOut.delete(name);
    drawCommand();
  });
  return element("label", { class: "leave-out" }, box, " leave out of the training");
}

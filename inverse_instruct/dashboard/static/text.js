"use strict";
// Elements and texts. Whatever a model wrote becomes a text node and nothing else.

// The element of the page with an id; a select has all that we ask of any of them.
const byId = (id) => /** @type {HTMLSelectElement} */ (document.getElementById(id));

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child != null && child !== ""));
  return node;
}

function option(value, label, chosen) {
  return element("option", { value, selected: value === chosen }, label);
}

// Control characters would be invisible, and those that turn the direction of writing would deceive.
function visible(text) {
  return text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, (sign) => String.fromCharCode(0x2400 + sign.charCodeAt(0)))
    .replace(/[\u007f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
      (sign) => `⟨U+${sign.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

const words = (name) => name.replaceAll("_", " ");
const whole = new Intl.NumberFormat();
const count = (number) => (number == null ? "–" : whole.format(number));
const fixed = (number, digits) => (number == null ? "–" : number.toFixed(digits));
const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
const roundName = (number) => (number === 0 ? "Round 0 (start)" : `Round ${number}`);

function percent(rate) { // of two equally near, the even one, as `status` prints it
  if (rate == null) return "–";
  const tenths = 1000 * rate;
  const below = Math.floor(tenths);
  return ((tenths - below === 0.5 ? below + (below % 2) : Math.round(tenths)) / 10).toFixed(1);
}

function interval(estimate) {
  return estimate ? `${percent(estimate.rate)} [${percent(estimate.low)}, ${percent(estimate.high)}]` : "–";
}

function duration(seconds) {
  if (seconds == null) return "–";
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const total = Math.round(seconds);
  if (total < 60) return `${total} s`;
  if (total < 3600) return `${Math.floor(total / 60)} min ${total % 60} s`;
  return `${Math.floor(total / 3600)} h ${Math.floor((total % 3600) / 60)} min`;
}

function moment(seconds) {
  const date = new Date(1000 * seconds);
  return element("time", { datetime: date.toISOString() },
    date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }));
}

function fillTable(table, heads, rows) {
  table.replaceChildren(
    element("thead", {}, element("tr", {}, heads.map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, rows.map((cells) => element("tr", {}, cells.map((cell, number) =>
      element(number ? "td" : "th", number ? {} : { scope: "row" }, cell))))));
}

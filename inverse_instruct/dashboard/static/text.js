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

const SHORT_CODE_LINES = 14;
const SHORT_TEXT = 700; // characters
const folded = (label, content) => element("details", {}, element("summary", {}, label), content);

// A text of any length, of which no more than its beginning is shown unasked.
function boundedText(text, kind = "text") {
  const paragraph = (part) => element("p", { class: kind }, part);
  return text.length <= SHORT_TEXT ? paragraph(text)
    : [paragraph(`${text.slice(0, SHORT_TEXT / 2)}…`), folded(`Show all ${plural(text.length, "character")}`, paragraph(text))];
}

function codeBlock(code, label = "code") {
  const lines = code.split("\n").length;
  const block = element("pre", { tabindex: 0, role: "group", "aria-label": label }, element("code", {}, visible(code)));
  return lines <= SHORT_CODE_LINES && code.length <= 2 * SHORT_TEXT ? block
    : folded(`Show all of the ${label}, ${plural(lines, "line")}`, block);
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

const tableRow = (cells) => element("tr", {}, cells.map((cell, number) =>
  element(number ? "td" : "th", number ? {} : { scope: "row" }, cell)));

function fillTable(table, heads, rows) {
  table.replaceChildren(
    element("thead", {}, element("tr", {}, heads.map((head) => element(head ? "th" : "td", head ? { scope: "col" } : {}, head)))),
    element("tbody", {}, rows.map(tableRow)));
}

// Fill a select with [value, label] pairs; return the value that is chosen now, at first that of the pair at `first`.
function keepChoice(select, pairs, first = -1) {
  const wanted = pairs.some(([value]) => value === select.value) ? select.value : pairs.at(first)?.[0];
  const known = [...select.options].map((known) => `${known.value} ${known.text}`).join();
  if (known !== pairs.map((pair) => pair.join(" ")).join()) {
    select.replaceChildren(...pairs.map(([value, label]) => option(value, label, wanted)));
  }
  return wanted ?? "";
}

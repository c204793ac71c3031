"use strict";
// What every page has: where one is on it, which is `#NAME?a=b` in its address, so that a link, a reload and the back
// button lead there again; what its server is asked; and the keys of its lists.

const isLive = byId("report-data") === null;

/** @returns {URLSearchParams | null} null: the address tells of something else */
function readPlace(name) {
  const [before, query] = location.hash.slice(1).split(/\?(.*)/s);
  return before === name && query !== undefined ? new URLSearchParams(query) : null;
}

// The link to a place; what is empty is left out, a list is given value by value.
function placeLink(name, values) {
  const pairs = Object.entries(values).flatMap(([key, value]) => [value].flat().map((part) => [key, String(part ?? "")]));
  return `#${name}?${new URLSearchParams(pairs.filter(([, value]) => value !== ""))}`;
}

// Go to a place, or write down that one is there without a step for the back button.
function goTo(link, { replace = false } = {}) {
  if (replace) {
    history.replaceState(null, "", link);
    dispatchEvent(new HashChangeEvent("hashchange"));
  } else location.hash = link;
}

async function fetchJson(link, values) {
  const reply = await fetch(`${link}?${new URLSearchParams(values)}`);
  const body = await reply.json();
  if (!reply.ok) throw new Error(body.error);
  return body;
}

// Keys of a list, while the focus is within its section: j and k go from row to row, the arrows from page to page.
function listenToKeys(section, rows, turn) {
  section.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, select, textarea, pre, .scroll")) return; // these have uses of their own for keys
    const step = { j: 1, k: -1 }[event.key];
    const pages = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) stepFocus([...section.querySelectorAll(rows)], step);
    if (pages) turn(pages);
    if (step || pages) event.preventDefault();
  });
}

function stepFocus(rows, step) {
  const now = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[now < 0 ? 0 : Math.min(Math.max(now + step, 0), rows.length - 1)];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
}

// SPDX-License-Identifier: GPL-3.0-or-later
"use strict";

const board = document.getElementById("board");
const error = document.getElementById("error");
const PAUSE_MS = 2000;
const CALM_MS = 150;
const KEYS = { c: "card", k: "cash", m: "mixed", x: "cancel" };

const pause = (ms) => new Promise((over) => setTimeout(over, ms));

async function ask(method, path, order) {
  error.textContent = "";
  try {
    const answer = await fetch(path, {
      method,
      headers: { "Content-Type": "application/json" },
      body: order === undefined ? undefined : JSON.stringify(order),
    });
    if (!answer.ok) error.textContent = (await answer.json()).error;
    return answer.ok;
  } catch {
    error.textContent = "The register server does not answer.";
    return false;
  }
}

/* Opened receipts and the focus survive a new board: both are found again by their ids. */
function replaceBoard(html) {
  const opened = new Map([...board.querySelectorAll("details")].map((one) => [one.id, one.open]));
  const focused = board.contains(document.activeElement) ? document.activeElement.id : "";
  board.innerHTML = html;
  for (const one of board.querySelectorAll("details")) one.open = opened.get(one.id) ?? one.open;
  if (focused) (document.getElementById(focused) ?? board.querySelector(".waiting"))?.focus();
  board.dataset.seen = board.querySelector("[data-version]").dataset.version;
  for (const part of ["faults", "habit"]) {
    document.getElementById(`${part}-on`).replaceChildren(board.querySelector(`#${part}-now`).content);
  }
}

async function follow() {
  for (;;) {
    try {
      const query = new URLSearchParams(location.search);
      query.set("seen", board.dataset.seen);
      const answer = await fetch(`/board?${query}`);
      if (answer.status === 200) replaceBoard(await answer.text());
      else if (!answer.ok) throw new Error(answer.statusText);
      await pause(CALM_MS);
    } catch {
      error.textContent = "The register server does not answer.";
      await pause(PAUSE_MS);
    }
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-path]");
  if (!button) return;
  button.disabled = true;
  await ask(button.dataset.method ?? "POST", button.dataset.path, JSON.parse(button.dataset.order ?? "{}"));
  button.disabled = false;
});

document.addEventListener("keydown", (event) => {
  const card = event.target.closest?.(".waiting");
  if (!card || event.ctrlKey || event.altKey || event.metaKey) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    const cards = [...board.querySelectorAll(".waiting")];
    cards[cards.indexOf(card) + step]?.focus();
    event.preventDefault();
  } else if (KEYS[event.key] && !event.repeat) {
    card.querySelector(`[data-act="${KEYS[event.key]}"]`).click();
  }
});

function value(field) {
  switch (field.dataset.type ?? field.type) {
    case "truth": return field.value === "yes";
    case "whole": return Math.trunc(Number(field.value));
    case "number": return Number(field.value);
    default: return field.value;
  }
}

/* What is left empty is not sent: the server has its own idea of it. */
function filled(form) {
  const fields = [...form.elements].filter((one) => one.name && !one.disabled && one.value !== "");
  return Object.fromEntries(fields.map((one) => [one.name, value(one)]));
}

for (const form of document.querySelectorAll("form[data-path]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await ask(form.dataset.method, form.dataset.path, filled(form));
  });
}

/* Only the options that the chosen kind takes can be filled in, and are sent. */
function offerOptions(form) {
  const takes = form.elements.kind.selectedOptions[0].dataset.takes.split(" ");
  for (const row of form.querySelectorAll("[data-option]")) {
    const usable = takes.includes(row.dataset.option);
    row.hidden = !usable;
    for (const field of row.querySelectorAll("input, select")) field.disabled = !usable;
  }
}

const faultForm = document.getElementById("fault-form");
faultForm.addEventListener("change", (event) => {
  if (event.target.name === "kind") offerOptions(faultForm);
});

offerOptions(faultForm);
follow();

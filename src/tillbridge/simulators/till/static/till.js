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

function filled(form) {
  const order = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled) continue;
    if (field.type === "checkbox") order[field.name] = field.checked;
    else if (field.value !== "") order[field.name] = field.type === "number" ? Number(field.value) : field.value;
  }
  return order;
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
faultForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const order = filled(faultForm);
  if (order.minor !== undefined) order.minor = Math.trunc(order.minor);
  if (order.times !== undefined) order.times = Math.trunc(order.times);
  for (const choice of ["collected", "unsigned", "at_once"]) {
    if (typeof order[choice] === "string") order[choice] = order[choice] === "yes";
  }
  await ask("POST", "/api/faults", order);
});

const habitForm = document.getElementById("habit-form");
habitForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  await ask("PUT", "/api/autopilot", filled(habitForm));
});

offerOptions(faultForm);
follow();

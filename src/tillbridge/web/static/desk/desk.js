// SPDX-License-Identifier: GPL-3.0-or-later
// What a page does by itself. Everything also works without it, but for what happens live.
(() => {
  // A button that is pressed twice sends once. The server would refuse the second anyway; this spares the refusal.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || form.matches("[hx-post]")) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "1";
    form.setAttribute("aria-busy", "true");
  });
  // A page that comes back from the browser's memory may be old: it is loaded again.
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });

  // What somebody may be typing in stays as it is when its page changes around it.
  const kept = (was, becomes) => was.id && was.id === becomes.id && was.hasAttribute?.("data-keep") && becomes.hasAttribute?.("data-keep");
  if (window.Idiomorph) Idiomorph.defaults.callbacks.beforeNodeMorphed = (was, becomes) => !kept(was, becomes);

  // Running times: from data-since (seconds since 1970) to now, by the server's clock (data-now on the page's part).
  const two = (n) => String(n).padStart(2, "0");
  let ahead = 0;
  const tick = () => {
    for (const shown of document.querySelectorAll("[data-since]")) {
      const s = Math.max(0, Math.floor(Date.now() / 1000 - ahead - Number(shown.dataset.since)));
      const text = s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
      if (shown.textContent !== text) shown.textContent = text;
    }
  };
  const now = document.querySelector("[data-now]");
  if (now) ahead = Date.now() / 1000 - Number(now.dataset.now);
  tick();
  setInterval(tick, 1000);
  document.addEventListener("htmx:afterSwap", tick);

  // Say when a live page is cut off; it connects again by itself and then shows the truth.
  const cut = (is) => document.body.classList.toggle("cut-off", is);
  document.addEventListener("htmx:sseError", () => cut(true));
  document.addEventListener("htmx:sseOpen", (event) => {
    cut(false);
    // Signed out elsewhere: this page must not go on as if nothing had happened.
    event.detail.source.addEventListener("gone", () => location.reload());
  });

  // Tick all, or none, of the boxes of a group.
  document.addEventListener("change", (event) => {
    const all = event.target.dataset?.ticksAll;
    if (!all) return;
    for (const box of document.querySelectorAll(`input[type=checkbox][name="${CSS.escape(all)}"]:not(:disabled)`)) {
      box.checked = event.target.checked;
    }
    event.target.form?.dispatchEvent(new Event("ticked", { bubbles: true }));
  });

  // What was typed before htmx was there to hear it.
  document.addEventListener("htmx:load", () => {
    const sum = document.querySelector("#sum[name=sum]");
    if (sum?.value) sum.form.dispatchEvent(new Event("ticked", { bubbles: true }));
  }, { once: true });

  // Print buttons.
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) print();
  });
})();

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
  document.addEventListener("htmx:sseOpen", () => cut(false));

  // The stream of a live page, which finds back soon: every 5 seconds at the latest, and at once when somebody comes back to
  // the page or the machine is on the network again. Browsers give up where a proxy answers for a bridge that is away, and
  // the extension would then wait for up to a minute. It takes this for an EventSource that never gives up.
  const FIRST_AGAIN_MS = 500;
  const LAST_AGAIN_MS = 5000;
  const OPENED_MS = 10000;
  const streams = new Set();

  class Stream extends EventTarget {
    constructor(address) {
      super();
      this.address = address;
      this.kinds = new Set();
      this.readyState = EventSource.CONNECTING;
      this.again = FIRST_AGAIN_MS;
      streams.add(this);
      // Signed out elsewhere: this page must not go on as if nothing had happened.
      this.addEventListener("gone", () => location.reload());
      this.connect();
    }

    addEventListener(kind, hear) {
      super.addEventListener(kind, hear);
      if (this.kinds.has(kind)) return;
      this.kinds.add(kind);
      if (this.source) this.relay(this.source, kind);
    }

    relay(source, kind) {
      source.addEventListener(kind, (event) => this.dispatchEvent(new MessageEvent(kind, { data: event.data })));
    }

    connect() {
      this.leave();
      const source = new EventSource(this.address);
      this.source = source;
      for (const kind of this.kinds) this.relay(source, kind);
      source.onopen = () => {
        clearTimeout(this.timer);
        this.readyState = EventSource.OPEN;
        this.again = FIRST_AGAIN_MS;
        this.onopen?.();
      };
      source.onerror = () => this.lost();
      // Nothing may answer at all, not even with a no.
      this.timer = setTimeout(() => this.lost(), OPENED_MS);
    }

    lost() {
      this.leave();
      this.readyState = EventSource.CONNECTING;
      // Not all at the same instant: a thousand pages may have lost the same bridge.
      this.timer = setTimeout(() => this.connect(), this.again * (0.5 + Math.random() / 2));
      this.again = Math.min(2 * this.again, LAST_AGAIN_MS);
      this.onerror?.();
    }

    leave() {
      clearTimeout(this.timer);
      this.source?.close();
      this.source = null;
    }

    close() {
      this.leave();
      this.readyState = EventSource.CLOSED;
      streams.delete(this);
    }
  }

  if (window.htmx) htmx.createEventSource = (address) => new Stream(address);
  const atOnce = () => {
    for (const stream of streams) if (stream.readyState === EventSource.CONNECTING) stream.connect();
  };
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && atOnce());
  addEventListener("online", atOnce);

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

// SPDX-License-Identifier: GPL-3.0-or-later
// "Pay at the register" on Koha's own pages, and a warning before the same charges are collected twice.
//
// What the page says is a hint and no more: the bridge reads the charges itself. Koha's buttons and forms are left alone,
// but for that warning. It knows Koha from 23.05 (Bootstrap 3, #collected, links) on (Bootstrap 5, #tendered, forms,
// op=cud-…). Its settings stand in window.tillbridge: {bridge, key} without the plugin, {plugin, handovers, state} with it;
// `opens: "tab"` opens the bridge in a tab of its own.
(() => {
  "use strict";

  const TEXTS = {
    en: {
      pay: "Pay at the register",
      pay_selected: "Pay selected at the register",
      pay_all: "Pay everything at the register",
      under_way: "{amount} is being paid at {register}.",
      unknown: "Nobody knows yet whether {amount} was taken at {register}: do not take it again.",
      paid: "{amount} was paid at {register}. It is not recorded in Koha yet.",
      look: "Look at that payment",
      held: "Being paid at {register}",
      twice: "These charges are being paid at the register",
      twice_why: "If you collect them here too, the customer pays twice.",
      no: "Do not collect",
      yes: "Collect in Koha anyway",
      only_here: "At this branch payments are taken at the register.",
      being_paid: "These charges are being paid already. Nothing more was sent to the register.",
      nothing: "No charge is chosen.",
      unreadable: "This amount cannot be read. Type it like 7.20.",
      away: "The registers cannot be reached right now. Nothing was sent to them. Try again, or take the money as before.",
      popup: "The browser did not let the register's page open. Allow pop-ups for Koha, then press again.",
      changed: "The charges have changed meanwhile. Nothing was sent to the register. Load this page again and look at them.",
      signed_out: "You are signed out of Koha. Nothing was sent to the register. Sign in, then press again.",
      not_allowed: "Koha does not let you take payments. Nothing was sent to the register.",
      stranger: "The registers do not know this Koha any more. Nothing was sent to them. Tell your administrator.",
      failed: "This did not work. Nothing was sent to the register. Try again, and tell your administrator if it goes on.",
    },
    fi: {
      pay: "Maksa kassalla",
      pay_selected: "Maksa valitut kassalla",
      pay_all: "Maksa kaikki kassalla",
      under_way: "{amount} on maksettavana kassalla {register}.",
      unknown: "Vielä ei ole tiedossa, onko {amount} peritty kassalla {register}: älä ota rahaa uudelleen.",
      paid: "{amount} on maksettu kassalla {register}. Sitä ei ole vielä kirjattu Kohaan.",
      look: "Katso kyseinen maksutapahtuma",
      held: "Maksettavana kassalla {register}",
      twice: "Nämä maksut ovat maksettavina kassalla",
      twice_why: "Jos perit ne myös täällä, asiakas maksaa kahteen kertaan.",
      no: "Älä peri",
      yes: "Peri silti Kohassa",
      only_here: "Tässä toimipisteessä maksut otetaan kassalla.",
      being_paid: "Nämä maksut ovat jo maksettavina. Kassalle ei lähetetty mitään uutta.",
      nothing: "Yhtään maksua ei ole valittu.",
      unreadable: "Summasta ei saa selvää. Kirjoita se muodossa 7,20.",
      away: "Kassoihin ei juuri nyt saada yhteyttä. Niille ei lähetetty mitään. Yritä uudelleen tai ota rahat vastaan kuten ennenkin.",
      popup: "Selain ei antanut avata kassan sivua. Salli ponnahdusikkunat Kohalle ja paina uudelleen.",
      changed: "Maksut ovat sillä välin muuttuneet. Kassalle ei lähetetty mitään. Lataa sivu uudelleen ja tarkista maksut.",
      signed_out: "Et ole enää kirjautuneena Kohaan. Kassalle ei lähetetty mitään. Kirjaudu sisään ja paina uudelleen.",
      not_allowed: "Sinulla ei ole Kohassa oikeutta ottaa maksuja. Kassalle ei lähetetty mitään.",
      stranger: "Kassat eivät enää tunne tätä Kohaa. Niille ei lähetetty mitään. Kerro asiasta ylläpitäjälle.",
      failed: "Tämä ei onnistunut. Kassalle ei lähetetty mitään. Yritä uudelleen; jos vika jatkuu, kerro ylläpitäjälle.",
    },
    sv: {
      pay: "Betala i kassan",
      pay_selected: "Betala de valda i kassan",
      pay_all: "Betala allt i kassan",
      under_way: "{amount} betalas vid {register}.",
      unknown: "Det är ännu okänt om {amount} togs emot vid {register}: ta inte emot pengarna på nytt.",
      paid: "{amount} har betalats vid {register}. Det är ännu inte bokfört i Koha.",
      look: "Visa den betalningen",
      held: "Betalas vid {register}",
      twice: "De här avgifterna betalas som bäst i kassan",
      twice_why: "Om du tar betalt också här betalar kunden två gånger.",
      no: "Ta inte betalt",
      yes: "Ta ändå betalt i Koha",
      only_here: "På det här biblioteket tas betalningar emot i kassan.",
      being_paid: "De här avgifterna betalas redan. Inget mer skickades till kassan.",
      nothing: "Ingen avgift är vald.",
      unreadable: "Beloppet går inte att läsa. Skriv det så här: 7,20.",
      away: "Kassorna kan inte nås just nu. Inget skickades till dem. Försök igen eller ta emot pengarna som förut.",
      popup: "Webbläsaren lät inte kassans sida öppnas. Tillåt popup-fönster för Koha och tryck igen.",
      changed: "Avgifterna har ändrats under tiden. Inget skickades till kassan. Ladda om sidan och titta på dem.",
      signed_out: "Du är utloggad från Koha. Inget skickades till kassan. Logga in och tryck igen.",
      not_allowed: "Du har inte rätt att ta emot betalningar i Koha. Inget skickades till kassan.",
      stranger: "Kassorna känner inte längre igen detta Koha. Inget skickades till dem. Kontakta din administratör.",
      failed: "Det gick inte. Inget skickades till kassan. Försök igen, och kontakta din administratör om felet kvarstår.",
    },
  };

  // No style attribute: a content security policy may refuse those.
  const STYLE = `
    .tillbridge-notice:not(:empty) { border-left: .4em solid #7a4b00; background: #fdf1d8; color: #1b2733; padding: .6em 1em; margin: .6em 0; }
    .tillbridge-notice p { margin: .2em 0; }
    .tillbridge-notice a, .tillbridge-no a { color: #14507c; text-decoration: underline; }
    .tillbridge-no { border-left: .4em solid #9c1f1f; background: #fbe9e8; color: #1b2733; padding: .6em 1em; margin: .6em 0; white-space: normal; text-align: left; }
    .tillbridge-bar { margin: .6em 0; }
    .tillbridge-dialog { max-width: 36em; padding: 1.5em; border: 1px solid #7a4b00; border-radius: .4em; color: #1b2733; background: #fff; }
    .tillbridge-dialog::backdrop { background: rgb(0 0 0 / .5); }
    .tillbridge-dialog h2 { margin-top: 0; font-size: 1.3em; }
    .tillbridge-pay[hidden], .tillbridge-held[hidden], .tillbridge-hidden { display: none !important; }
  `;

  const WAIT_MS = 10000; // for an answer of Koha or of the bridge
  const WORD_MS = 60000; // a word of the plugin to ask the bridge with lasts for 90 s
  const FRESH_MS = 15000; // for so long nobody is asked again because the clerk begins to type

  /** A no that the clerk is told; its key is that of a text. */
  class No extends Error {
    constructor(key) {
      super(key);
      this.key = key;
    }
  }

  const settings = window.tillbridge;
  const language = () => document.documentElement.lang.slice(0, 2).toLowerCase();
  const said = (key, facts = {}) =>
    (TEXTS[language()] ?? TEXTS.en)[key].replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? "");

  const made = (tag, facts = {}, ...inside) => {
    const element = Object.assign(document.createElement(tag), facts);
    element.append(...inside);
    return element;
  };

  // Amounts are text, and reckoned in millionths: that is how exact Koha's are.

  /** Read a sum that a person sees: "1,234.50", "1 234,50" or "1'234.50". "1,234" may be two sums, so it is none. */
  const sumIn = (text) => {
    const found = /^(\d{1,3}(?:([ \u00a0\u202f'’.,])\d{3})(?:\2\d{3})*|\d+)(?:([.,])(\d{1,2}))?$/.exec(text.trim());
    if (!found) throw new No("unreadable");
    const [, whole, between, mark, cents = ""] = found;
    if ((between === "." || between === ",") && (!mark || mark === between)) throw new No("unreadable");
    const sum = `${whole.replace(/\D/g, "").replace(/^0+(?=\d)/, "")}.${cents.padEnd(2, "0")}`;
    if (sum === "0.00") throw new No("unreadable");
    return sum;
  };

  const millionths = (text) => {
    const found = /^(\d+)(?:\.(\d{1,6})0*)?$/.exec(text ?? "");
    return found ? BigInt(found[1] + (found[2] ?? "").padEnd(6, "0")) : null;
  };

  const written = (number, digits) => {
    const text = String(number).padStart(digits + 1, "0");
    return `${text.slice(0, -digits)}.${text.slice(-digits)}`;
  };

  /** What is owed for some lines: exactly, and as the sum that is paid for it; nothing where a line cannot be read. */
  const sumsOf = (owed) => {
    const parts = owed.map(millionths);
    if (!parts.length || parts.includes(null)) return { amount: null, owed: null };
    const all = parts.reduce((sum, part) => sum + part, 0n);
    return { amount: written((all + 5000n) / 10000n, 2), owed: written(all, 6) };
  };

  // What stands on the page.

  const digits = (text) => (/^\d+$/.test(text ?? "") ? text : "");
  const valueOf = (place, name) => place.querySelector(`[name="${name}"]`)?.value.trim() ?? "";
  const isWriteOff = (form) => valueOf(form, "type") === "WRITEOFF" || valueOf(form, "op").includes("writeoff");

  let patron = "";
  let branch = "";
  let from = "";
  let kohasButton = null; // where Koha itself takes the money
  const offers = [];
  const notice = made("div", { className: "tillbridge-notice", role: "status" });

  /** Put a button behind `anchor`. `charges` gives the ids (none: all that is open), `sums` the sums that are shown. */
  const offer = (anchor, text, { small = false, all = () => false, ...more }) => {
    const look = `btn btn-default ${small ? "btn-xs " : ""}`;
    const button = made("button", { type: "button", className: `${look}tillbridge-pay` }, said(text));
    const link = made("a", { className: `${look}tillbridge-held`, hidden: true });
    const one = { button, link, all, ...more };
    anchor.after(" ", button, " ", link);
    button.addEventListener("click", () => go(one));
    offers.push(one);
    return one;
  };

  /** The line that a button "Pay" of the accounting tab is for. A link's description may hold any signs, & and # too. */
  const lineOf = (action) => {
    const form = action.closest("form");
    if (form && valueOf(form, "accountlines_id")) {
      return { id: valueOf(form, "accountlines_id"), owed: valueOf(form, "amountoutstanding"), anchor: form };
    }
    const address = action.getAttribute("href") ?? "";
    const id = [...address.matchAll(/[?&]accountlines_id=(\d+)/g)].at(-1)?.[1];
    return { id, owed: /[?&]amountoutstanding=([\d.]+)/.exec(address)?.[1], anchor: action };
  };

  const PAGES = {
    pat_paycollect() {
      const form = document.querySelector("form#payindivfine, form#payfine");
      const submit = form?.querySelector("[name=submitbutton]");
      if (!submit || isWriteOff(form)) return false;
      const one = form.id === "payindivfine";
      if (one && !digits(valueOf(form, "accountlines_id"))) return false;
      const charges = () => valueOf(form, one ? "accountlines_id" : "selected_accts").split(",").filter(digits);
      const all = () => !one && valueOf(form, "selected_accts") === "";
      const owed = () => valueOf(form, one ? "amountoutstanding" : "total");
      const sums = () => ({ ...sumsOf([owed()]), amount: sumIn(valueOf(form, "paid")) });
      kohasButton = submit;
      form.before(notice);
      guard(form, offer(submit, "pay", { form, charges, all, sums }));
      return true;
    },

    pat_borraccount() {
      const table = document.querySelector("#table_account_fines");
      if (!table) return false;
      const bar = made("div", { className: "tillbridge-bar" });
      const known = new WeakSet();
      // The table shows a part of its rows at a time, and takes the others out of the page.
      const look = () => {
        for (const action of table.querySelectorAll(".pay-action")) {
          if (known.has(action)) continue;
          known.add(action);
          const { id, owed, anchor } = lineOf(action);
          if (!digits(id)) continue;
          if (!bar.isConnected) offerAll();
          offer(anchor, "pay", { small: true, charges: () => [id], sums: () => sumsOf([owed]) });
          show();
        }
      };
      const offerAll = () => {
        notice.after(bar);
        offer(bar.appendChild(made("span")), "pay_all", { charges: () => [], all: () => true, sums: () => sumsOf([]) });
      };
      (table.closest(".dataTables_wrapper, .dt-container") ?? table).before(notice);
      look();
      new MutationObserver(look).observe(table, { childList: true, subtree: true });
      return true;
    },

    pat_pay() {
      const form = document.querySelector("form#pay-fines-form");
      const anchor = form?.querySelector("#payselected");
      if (!anchor) return false;
      const charges = () =>
        [...form.querySelectorAll("input.cb:checked:not(:disabled)")]
          .map((box) => digits(box.name.replace("incl_par_", "")))
          .filter(Boolean);
      const sums = () => sumsOf(charges().map((id) => valueOf(form, `amountoutstanding${id}`)));
      form.before(notice);
      offer(anchor, "pay_selected", { charges, sums });
      return true;
    },
  };

  // Koha and the bridge.

  let known = { open: [], currency: "EUR", on: true, hide_confirm: false };
  let askedAt = -Infinity;

  const fetched = async (address, how) => {
    try {
      return await fetch(address, { ...how, signal: AbortSignal.timeout(WAIT_MS) });
    } catch {
      throw new No("away");
    }
  };

  const KOHAS_NO = { 401: "signed_out", 403: "not_allowed", 409: "changed" };
  const ofKoha = async (address, how = {}) => {
    const answer = await fetched(address, { ...how, credentials: "same-origin" });
    if (!answer.ok) throw new No(KOHAS_NO[answer.status] ?? "failed");
    return answer.json();
  };

  let word = { until: -Infinity };

  /** Where the bridge is, and the word by which it lets this page ask. Koha is busy: its word is used while it lasts. */
  const access = async () => {
    if (!settings.plugin) return { address: settings.bridge, token: settings.key };
    const now = performance.now();
    if (now > word.until) word = { ...(await ofKoha(`${settings.state}?patron_id=${patron}`)), until: now + WORD_MS };
    return word;
  };

  /** Learn which payments of this patron are open. */
  const ask = async () => {
    askedAt = performance.now();
    const { address, token } = await access();
    const headers = { Authorization: `Bearer ${token}` };
    const query = new URLSearchParams({ patron, branch });
    const answer = await fetched(`${address}/koha/open-payments?${query}`, { headers, credentials: "omit" });
    if (answer.status === 401 || answer.status === 403) {
      word = { until: -Infinity };
      throw new No("stranger");
    }
    if (!answer.ok) throw new No("failed");
    known = await answer.json();
    show();
  };

  const askQuietly = () => ask().catch(() => {});

  const heldOf = (one) => {
    const charges = one.charges();
    return known.open.filter((payment) => one.all() || payment.charges.some((id) => charges.includes(String(id))));
  };

  /** Go to the bridge with what is chosen, in this tab or in another one that is open already. */
  const lead = async (choice, tab) => {
    if (settings.plugin) {
      const body = { patron_id: Number(patron), charge_ids: choice.charges.map(Number), amount: choice.amount, from };
      const headers = { "Content-Type": "application/json" };
      const { address, token } = await ofKoha(settings.handovers, { method: "POST", headers, body: JSON.stringify(body) });
      const place = (tab ?? window).document;
      const form = made("form", { method: "post", action: address }, made("input", { type: "hidden", name: "token", value: token }));
      place.body.append(place.adoptNode(form));
      form.submit();
      return;
    }
    const facts = { patron, charges: choice.charges.join(","), amount: choice.amount, owed: choice.owed, branch, from };
    const query = new URLSearchParams(Object.entries(facts).filter(([, value]) => value));
    (tab ?? window).location.assign(`${settings.bridge}/desk?${query}`);
  };

  // What the clerk does.

  // How Koha itself would take the money is not asked for: with registers of its own it demands a payment type.
  const KOHAS_OWN = ["payment_type", "cash_register", "collected", "tendered"];

  /** Let Koha's own checks of the form have their say first. */
  const isValid = (form) => {
    const checks = window.jQuery?.(form).data?.("validator");
    const isRight = (field) => (checks ? checks.element(field) !== false : field.reportValidity());
    const asked = [...form.elements].filter((field) => field.willValidate && field.name && !KOHAS_OWN.includes(field.name));
    const wrong = asked.find((field) => !isRight(field));
    wrong?.focus();
    return !wrong;
  };

  const opened = () => {
    if (settings.opens !== "tab") return null;
    const tab = window.open("about:blank", "_blank");
    if (!tab) throw new No("popup");
    tab.opener = null;
    return tab;
  };

  let busy = false; // one thing at a time, whichever button is pressed

  const go = async (one) => {
    if (busy) return;
    hush();
    if (one.form && !isValid(one.form)) return;
    busy = true;
    one.button.setAttribute("aria-busy", "true");
    let tab = null;
    try {
      const choice = { charges: one.charges(), ...one.sums() };
      if (!choice.charges.length && !one.all()) throw new No("nothing");
      tab = opened();
      await askBefore(one);
      await lead(choice, tab);
      if (!tab) return void setTimeout(rest, WAIT_MS); // this page is being left, if nobody stops it
    } catch (error) {
      tab?.close();
      say(one.button, error instanceof No ? error.key : "failed");
    }
    rest();
  };

  /** Look once more what is open, and that the bridge is there at all; a lost page key keeps nobody from the desk. */
  const askBefore = async (one) => {
    await ask().catch((error) => {
      if (settings.plugin || error.key === "away") throw error;
    });
    if (!one.all() && heldOf(one).length) throw new No("being_paid");
  };

  const rest = () => {
    busy = false;
    for (const { button } of offers) button.removeAttribute("aria-busy");
  };

  /** Warn before Koha's own button collects what is being paid: its form, and its dialog about change, which sends by itself. */
  const guard = (form, one) => {
    const agreed = new Set();
    let passing = false;
    const heard = async (event) => {
      const button = event.target.closest?.("#modal_submit, [name=submitbutton]");
      if (!button || passing || (button.id !== "modal_submit" && button.form !== form)) return;
      const held = heldOf(one).filter(({ payment }) => !agreed.has(payment));
      if (!held.length) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (!(await warned(held))) return;
      for (const { payment } of held) agreed.add(payment);
      passing = true;
      button.click();
      passing = false;
    };
    const stir = () => {
      if (performance.now() - askedAt > FRESH_MS) askQuietly();
    };
    document.addEventListener("click", heard, true);
    form.addEventListener("pointerdown", stir, true);
    form.addEventListener("keydown", stir, true);
  };

  /** Ask whether to collect all the same; true where the clerk insists. */
  const warned = (held) =>
    new Promise((resolve) => {
      const no = made("button", { type: "button", className: "btn btn-default", autofocus: true }, said("no"));
      const yes = made("button", { type: "button", className: "btn btn-default" }, said("yes"));
      const title = made("h2", { id: "tillbridge-twice" }, said("twice"));
      const why = made("p", { id: "tillbridge-why" }, said("twice_why"));
      const dialog = made("dialog", { className: "tillbridge-dialog" }, title, ...held.map(told), why, no, " ", yes);
      dialog.setAttribute("aria-labelledby", title.id);
      dialog.setAttribute("aria-describedby", why.id);
      no.addEventListener("click", () => dialog.close());
      yes.addEventListener("click", () => dialog.close("yes"));
      dialog.addEventListener("close", () => {
        dialog.remove();
        resolve(dialog.returnValue === "yes");
      });
      document.body.append(dialog);
      dialog.showModal();
    });

  // What is shown.

  const money = ({ amount }) =>
    new Intl.NumberFormat(document.documentElement.lang || "en", { style: "currency", currency: known.currency }).format(amount);

  const wordsFor = ({ state }) => (state === "unknown" || state === "paid" ? state : "under_way");

  const linkTo = (payment, text) => made("a", { href: payment.address }, text);

  const told = (payment) =>
    made("p", {}, said(wordsFor(payment), { amount: money(payment), register: payment.register }), " ", linkTo(payment, said("look")));

  const show = () => {
    const lines = known.open.map(told);
    if (kohasButton) {
      // Disabled as well: Enter in a field would press a button that is only hidden.
      kohasButton.disabled = known.hide_confirm;
      kohasButton.classList.toggle("tillbridge-hidden", known.hide_confirm);
      if (known.hide_confirm) lines.unshift(made("p", {}, said("only_here")));
    }
    const next = made("div", {}, ...lines);
    // A screen reader says only what is new.
    if (notice.innerHTML !== next.innerHTML) notice.replaceChildren(...next.childNodes);
    for (const one of offers) showOffer(one);
  };

  const showOffer = (one) => {
    const [held] = one.all() ? [] : heldOf(one);
    one.link.hidden = !held;
    one.button.hidden = Boolean(held) || !known.on;
    if (held) {
      one.link.href = held.address;
      one.link.textContent = said("held", { register: held.register });
    }
  };

  let no = null;
  const hush = () => no?.remove();
  const say = (button, key) => {
    hush();
    no = made("div", { className: "tillbridge-no", role: "alert" }, said(key));
    button.after(no);
  };

  const start = () => {
    const page = Object.hasOwn(PAGES, document.body.id) ? PAGES[document.body.id] : null;
    const asked = new URLSearchParams(location.search).get("borrowernumber");
    patron = digits(asked) || digits(valueOf(document, "borrowernumber"));
    branch = document.querySelector(".logged-in-branch-code")?.textContent.trim() ?? "";
    from = { pat_paycollect: "paycollect", pat_borraccount: "boraccount", pat_pay: "pay" }[document.body.id];
    if (!page || !patron || !page()) return;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    askQuietly();
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && askQuietly());
    addEventListener("pageshow", ({ persisted }) => persisted && (rest(), askQuietly()));
  };

  if (!settings || settings.started || !(settings.plugin || settings.bridge)) return;
  settings.started = true;
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();

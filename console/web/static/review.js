// Keys for the review queue, and who else is on what. Everything can be done without it.
"use strict";
(() => {
  const queue = () => document.getElementById("queue");
  const items = () => [...queue().querySelectorAll("article")];
  const selected = () => queue().querySelector('article[aria-current="true"]');
  const help = document.getElementById("help");
  const failed = document.getElementById("failed");
  const maySay = () => Boolean(queue().querySelector("form.verdict"));
  let busy = false;

  function select(item, focus = true) {
    selected()?.removeAttribute("aria-current");
    if (!item) return;
    item.setAttribute("aria-current", "true");
    if (focus) {
      item.focus({ preventScroll: true });
      item.scrollIntoView({ block: "nearest" });
    }
    claim(item);
  }

  // The first that nobody else is on.
  const first = () => items().find((item) => !item.dataset.holder) ?? items()[0];

  function move(by) {
    const all = items();
    const at = all.indexOf(selected());
    select(all[Math.min(all.length - 1, Math.max(0, at + by))]);
  }

  function tell(text) {
    failed.textContent = text;
    failed.hidden = !text;
  }

  // byItself: nobody may be looking, so it does not keep the session from ending.
  async function claim(item, byItself = false) {
    const form = item.querySelector("form.verdict");
    if (!form) return;
    const sent = new URLSearchParams({
      csrf: form.elements.csrf.value, event_id: form.elements.event_id.value, via: "script",
    });
    try {
      const headers = byItself ? { "x-part": "queue" } : {};
      const answer = await fetch(form.querySelector(".take").formAction, { method: "POST", body: sent, headers });
      if (answer.ok) show(await answer.json());
    } catch { /* the keeper is away: nobody is told, nothing is lost */ }
  }

  function show(holders) {
    const me = queue().dataset.me;
    for (const item of items()) {
      const holder = holders[item.dataset.event];
      const badge = item.querySelector(".holder");
      const other = holder && holder !== me;
      badge.hidden = !other;
      item.querySelector(".mine").hidden = !holder || other;
      if (other) {
        item.dataset.holder = holder;
        badge.textContent = `${holder} is on it`;
      } else delete item.dataset.holder;
    }
  }

  // Parts of a page that was fetched take the place of those that are shown.
  function take(page) {
    for (const id of ["work", "queue", "said", "told"]) {
      const fresh = page.getElementById(id);
      const old = document.getElementById(id);
      if (!fresh || !old) continue;
      old.className = fresh.className;
      old.replaceChildren(...fresh.childNodes);
    }
  }

  async function say(form, label) {
    if (busy) return;
    busy = true;
    tell("");
    const item = form.closest("article");
    const place = items().indexOf(item);
    for (const button of form.querySelectorAll("button")) button.disabled = true;
    const sent = new URLSearchParams(new FormData(form));
    sent.set("label", label);
    try {
      const answer = await fetch(form.action, { method: "POST", body: sent });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (answer.ok && page.getElementById("queue")) {
        take(page);
        const all = items();
        select(all[Math.min(place, all.length - 1)] ?? first());
      } else {
        tell(page.querySelector(".problem[role=alert]:not([hidden])")?.textContent ?? "You are logged out: load the page again.");
      }
    } catch {
      tell("The keeper cannot be reached. Nothing was struck; say it again when it is back.");
    }
    for (const button of form.querySelectorAll("button")) button.disabled = false;
    busy = false;
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("#queue form.verdict") || event.submitter?.name !== "label") return;
    event.preventDefault();
    say(form, event.submitter.value);
  });

  document.addEventListener("focusin", (event) => {
    const item = event.target.closest?.("#queue article");
    if (item && item !== selected()) select(item, false);
  });

  const keys = {
    j: () => move(1),
    k: () => move(-1),
    f: () => press("fraud"),
    l: () => press("legitimate"),
    o: () => selected()?.querySelector("a.open").click(),
    u: () => document.getElementById("undo")?.click(),
    "/": () => document.getElementById("search").focus(),
    "?": () => help.showModal(),
  };

  function press(label) {
    const form = selected()?.querySelector("form.verdict");
    if (form) say(form, label);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (event.repeat && !"jk".includes(event.key)) return; // a key held down strikes one item, not a row of them
    if (event.target.matches("input, select, textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  const opener = document.getElementById("help-open");
  opener.hidden = false;
  opener.addEventListener("click", () => help.showModal());

  // What is held is held for three minutes; whoever still looks at it says so.
  setInterval(() => { if (!document.hidden && maySay() && selected()) claim(selected(), true); }, 60000);
  if (maySay() && items().length) select(first());
})();

// Pages work without this; it saves reloads.
"use strict";

// <div id="…" data-refresh="5">: its content is fetched anew every 5 s while the page is seen and nobody types in
// it; what was opened stays open, if it has an id.
for (const part of document.querySelectorAll("[data-refresh]")) {
  const every = Number(part.dataset.refresh) * 1000;
  setInterval(async () => {
    if (document.hidden || part.contains(document.activeElement)) return;
    try {
      const answer = await fetch(location.href, { headers: { "x-part": part.id } });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(part.id);
      if (!fresh) return;
      const open = [...part.querySelectorAll("details[id][open]")].map((each) => each.id);
      part.replaceChildren(...fresh.childNodes);
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    } catch { /* the keeper is away: what is shown stays */ }
  }, every);
}

// <button data-confirm="…">: asked before the form is sent.
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

// On a phone the menu is wider than the screen: where we are is moved into sight.
document.querySelector("nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });

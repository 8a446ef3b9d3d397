// Keeps the status page up to date. Without it the page loads itself anew from time to time and shows the same.
"use strict";
(() => {
  const main = document.querySelector("main");
  const light = document.getElementById("live");
  // Our clock may be another than the daemon's.
  let ahead = Date.now() - Number(document.body.dataset.now);
  const now = () => Date.now() - ahead;
  const two = (number) => String(number).padStart(2, "0");

  // Times in the reader's zone; of today, the day goes without saying.
  const clock = (iso) => {
    const at = new Date(iso);
    const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} `;
    const today = at.toDateString() === new Date(now()).toDateString();
    const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
    return `${today ? "" : day}${time}.${String(at.getMilliseconds()).padStart(3, "0")}`;
  };
  const passed = (iso) => {
    const s = Math.max(0, Math.floor((now() - Date.parse(iso)) / 1000));
    const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
    if (d > 0) return `${d} d ${h} h`;
    if (h > 0) return `${h} h ${m} min`;
    return m > 0 ? `${m} min ${s % 60} s` : `${s} s`;
  };
  const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  const zones = (within) => {
    for (const node of within.querySelectorAll("time.at")) {
      put(node, clock(node.dateTime));
      node.title = new Date(node.dateTime).toString();
    }
    for (const node of within.querySelectorAll("time.ago")) node.title = new Date(node.dateTime).toString();
  };
  const tick = () => {
    for (const node of document.querySelectorAll("time.ago")) put(node, passed(node.dateTime));
  };
  // Time passes in a timeline by its view box alone.
  const day = new URLSearchParams(location.search).get("span") === "day";
  const slide = () => {
    const span = day ? 86400 : 3600;
    for (const line of document.querySelectorAll("svg.line")) {
      const since = (now() - Number(line.dataset.t)) / 1000;
      line.setAttribute("viewBox", `${(since - span).toFixed(1)} 0 ${span} 16`);
    }
  };
  const refresh = () => { zones(document); tick(); slide(); };
  refresh();
  setInterval(tick, 1000);
  setInterval(slide, 5000);
  if (!main) return;

  // The whole page anew, in place: what has the focus keeps it.
  let fetching = false, wanted = false, last = 0;
  const again = async () => {
    if (fetching) { wanted = true; return; }
    fetching = true;
    try {
      const answer = await fetch(location.pathname + location.search);
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        const focus = document.activeElement;
        const link = main.contains(focus) ? focus.getAttribute("href") : null;
        main.replaceChildren(...fresh.querySelector("main").childNodes);
        for (const part of ["p.about", "nav[aria-label='Timelines show']"]) {
          const [old, other] = [document, fresh].map((of) => of.querySelector(`header ${part}`));
          if (old && other) old.replaceWith(other);
        }
        ahead = Date.now() - Number(fresh.body.dataset.now);
        refresh();
        if (link) main.querySelector(`a[href="${CSS.escape(link)}"]`)?.focus();
        last = Date.now();
      }
    } catch { /* The stream says that nobody answers. */ }
    fetching = false;
    if (wanted) { wanted = false; setTimeout(again, 1000); }
  };

  // What followed from an event may still be happening.
  if (!light) { setInterval(() => { if (!document.hidden) again(); }, 5000); return; }

  // An answer may be a tenth of a second old: what a word was about must be in it.
  const soon = () => setTimeout(again, 150);

  const made = (html, parent) => {
    const box = document.createElement(parent);
    box.innerHTML = html;
    return box;
  };
  const filter = () => new URLSearchParams(location.search).get("q")?.trim().toLowerCase() ?? "";
  const take = (word) => {
    if (word.again) { soon(); return; }
    for (const id of ["summary", "trouble"]) {
      const part = made(word[id], "div").firstElementChild;
      const old = document.getElementById(id);
      if (part && old && old.outerHTML !== part.outerHTML) old.replaceWith(part);
    }
    const here = new Map();
    for (const row of main.querySelectorAll("tr[data-k]")) here.set(row.dataset.k, row);
    for (const [key, html] of Object.entries(word.rows)) {
      const row = made(html, "tbody").firstElementChild;
      const old = here.get(key);
      if (old) {
        old.replaceWith(row);
        row.classList.add("new");
      } else if ("bad" in row.dataset && Date.now() - last > 2000) {
        // What is in trouble comes first, wherever it was.
        soon();
      }
    }
    const list = main.querySelector("#events tbody");
    const text = filter();
    for (const html of word.events) {
      const row = made(html, "tbody").firstElementChild;
      if (!list || document.getElementById(row.id)) continue;
      if (text && !row.textContent.toLowerCase().includes(text)) continue;
      list.querySelector(".none")?.remove();
      row.classList.add("new");
      list.prepend(row);
    }
    while (list && list.rows.length > 40) list.lastElementChild.remove();
    refresh();
  };

  let stream = null, retry = 0;
  const say = (state, text) => { light.className = state; light.textContent = text; };
  const open = () => {
    clearTimeout(retry);
    stream = new EventSource("/live");
    stream.onopen = () => { say("on", "live"); soon(); };
    stream.addEventListener("word", (message) => take(JSON.parse(message.data)));
    stream.onerror = () => {
      say("off", "no answer");
      if (stream.readyState === EventSource.CLOSED) {
        say("off", "not live: others take all places");
        again();
        retry = setTimeout(open, 10000);
      }
    };
  };
  // A page that nobody sees costs nothing.
  const look = () => {
    stream?.close();
    clearTimeout(retry);
    if (document.hidden) say("off", "paused");
    else open();
  };
  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", () => stream?.close());
  look();
  // Sparklines move on even when nothing happens; at the same moments on all pages, which then share one answer.
  const next = () => setTimeout(() => { if (!document.hidden) again(); next(); }, 30000 - now() % 30000 + 20);
  next();

  const form = document.querySelector("form[role=search]");
  const field = form?.querySelector("input[name=q]");
  let typing = 0;
  const go = () => {
    const query = new URLSearchParams();
    if (field.value.trim()) query.set("q", field.value.trim());
    if (day) query.set("span", "day");
    history.replaceState(null, "", query.size ? `/?${query}` : "/");
    again();
  };
  form?.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(typing); go(); });
  field?.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(go, 250); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== field && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      field?.select();
    }
    if (event.key === "Escape" && document.activeElement === field) { field.value = ""; go(); field.blur(); }
  });
})();

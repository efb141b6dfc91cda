// Keeps what is going on up to date: hears of changes while the page is looked at, and of none while it is not.
"use strict";
(() => {
  const LATER = 30_000;

  function attach(section) {
    let source = null;
    let later = null;
    const words = section.querySelector("[data-live-words]");
    const status = section.querySelector("[data-live-status]");
    const state = section.querySelector("[data-live-state]");

    function say(text, tone) {
      if (state.textContent !== text) state.textContent = text;
      state.className = `pill tone-${tone}`;
    }

    function show(news) {
      // Written only where it is new: a screen reader says what changes here.
      if (words.textContent !== news.words) words.textContent = news.words;
      const open = status.querySelector("details")?.open;
      const inside = status.contains(document.activeElement) && document.activeElement.tagName === "SUMMARY";
      status.innerHTML = news.html;
      const details = status.querySelector("details");
      if (details && open) details.open = true;
      if (details && inside) details.querySelector("summary").focus();
      if (news.mark !== section.dataset.mark) renew();
    }

    // What can be done has changed: the buttons are made anew, for this visitor.
    async function renew() {
      const answer = await fetch(section.dataset.part, { headers: { "HX-Request": "true" } });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("[data-live]");
      if (!fresh || !section.isConnected) return;
      section.dataset.mark = fresh.dataset.mark;
      const now = section.querySelector("[data-live-acts]");
      const next = fresh.querySelector("[data-live-acts]");
      const held = now?.contains(document.activeElement);
      if (now && next) now.replaceWith(next);
      else if (now) now.remove();
      else if (next) section.append(next);
      if (held) { section.tabIndex = -1; section.focus(); }
    }

    function listen() {
      clearTimeout(later);
      if (source || document.hidden || !section.isConnected) return;
      source = new EventSource(section.dataset.live);
      source.onopen = () => say("live", "good");
      source.onmessage = (message) => show(JSON.parse(message.data));
      source.onerror = () => {
        say("not live: trying again", "warning");
        if (source.readyState === EventSource.CLOSED) {
          source = null;
          later = setTimeout(listen, LATER);
        }
      };
    }

    // Browsers keep few connections to one place: pages that nobody looks at leave theirs.
    function rest() {
      clearTimeout(later);
      source?.close();
      source = null;
      say("paused while hidden", "neutral");
    }

    document.addEventListener("visibilitychange", () => (document.hidden ? rest() : listen()));
    window.addEventListener("pagehide", rest);
    window.addEventListener("pageshow", listen);
    listen();
  }

  function find() {
    for (const section of document.querySelectorAll("[data-live]:not([data-attached])")) {
      section.dataset.attached = "";
      attach(section);
    }
  }

  // The part may come later, fetched by the page.
  new MutationObserver(find).observe(document.documentElement, { childList: true, subtree: true });
  document.addEventListener("DOMContentLoaded", find);
  find();
})();

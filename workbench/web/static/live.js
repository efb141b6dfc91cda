// Keeps what is going on up to date: hears of changes while the page is looked at, and of none while it is not.
"use strict";
(() => {
  const LATER = 30_000;
  // Browsers keep six connections to one place: so many pages hear at once, the others look now and then.
  const SEATS = 3;
  const LOOK_AGAIN = 5_000;

  // Gives what has to be called to give the seat back; null where all are taken.
  function take(name) {
    return new Promise((answer) => {
      const hold = (lock) => (lock ? new Promise(answer) : answer(null));
      navigator.locks.request(name, { ifAvailable: true }, hold).catch(() => answer(null));
    });
  }

  async function seat() {
    // Known where a connection is safe, and on this machine; elsewhere everybody listens.
    if (!navigator.locks) return () => {};
    for (let number = 0; number < SEATS; number += 1) {
      const leave = await take(`live ${number}`);
      if (leave) return leave;
    }
    return null;
  }

  function attach(section) {
    let source = null;
    let leave = null;
    let later = null;
    let turn = 0;
    const words = section.querySelector("[data-live-words]");
    const status = section.querySelector("[data-live-status]");
    const state = section.querySelector("[data-live-state]");

    function say(text, tone) {
      if (state.textContent !== text) state.textContent = text;
      state.className = `pill tone-${tone}`;
    }

    function show(news) {
      if (news.away) { say("not live: the database does not answer", "warning"); return; }
      say("live", "good");
      paint(news.words, news.html);
      if (news.mark !== section.dataset.mark) renew();
    }

    function paint(text, html) {
      // Written only where it is new: a screen reader says what changes here.
      if (words.textContent !== text) words.textContent = text;
      const open = status.querySelector("details")?.open;
      const inside = status.contains(document.activeElement) && document.activeElement.tagName === "SUMMARY";
      status.innerHTML = html;
      const details = status.querySelector("details");
      if (details && open) details.open = true;
      if (details && inside) details.querySelector("summary").focus();
    }

    async function fetched() {
      try {
        const answer = await fetch(section.dataset.part, { headers: { "HX-Request": "true" } });
        if (!answer.ok) return null;
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        return page.querySelector("[data-live]");
      } catch { return null; }
    }

    // The door is shut: the session has ended, or its token was revoked.
    async function locked() {
      try {
        const answer = await fetch(section.dataset.part, { headers: { "HX-Request": "true" } });
        return answer.redirected || answer.status === 401 || answer.status === 403;
      } catch { return false; }
    }

    // What can be done has changed: the buttons are made anew, for this visitor.
    async function renew() {
      const fresh = await fetched();
      if (!section.isConnected) return;
      if (fresh) arm(fresh);
      else setTimeout(() => section.isConnected && renew(), LOOK_AGAIN);
    }

    function arm(fresh) {
      section.dataset.mark = fresh.dataset.mark;
      const now = section.querySelector("[data-live-acts]");
      const next = fresh.querySelector("[data-live-acts]");
      const held = now?.contains(document.activeElement);
      if (now && next) now.replaceWith(next);
      else if (now) now.remove();
      else if (next) section.append(next);
      if (held) { section.tabIndex = -1; section.focus(); }
    }

    // No seat is free: the page looks now and then, and asks for one again.
    async function look(mine) {
      const fresh = await fetched();
      if (mine !== turn || !section.isConnected) return;
      if (fresh) {
        paint(fresh.querySelector("[data-live-words]").textContent, fresh.querySelector("[data-live-status]").innerHTML);
        if (fresh.dataset.mark !== section.dataset.mark) arm(fresh);
        say("live, every few seconds", "good");
      } else say("not live: trying again", "warning");
      later = setTimeout(listen, LOOK_AGAIN);
    }

    async function listen() {
      clearTimeout(later);
      if (source || document.hidden || !section.isConnected) return;
      turn += 1;
      const mine = turn;
      const got = await seat();
      // The page was hidden meanwhile, or asked twice.
      if (mine !== turn) { got?.(); return; }
      if (!got) { look(mine); return; }
      leave = got;
      source = new EventSource(section.dataset.live);
      source.onopen = () => say("live", "good");
      source.onmessage = (message) => show(JSON.parse(message.data));
      source.onerror = async () => {
        say("not live: trying again", "warning");
        if (source.readyState === EventSource.CLOSED) {
          stop();
          later = setTimeout(listen, LATER);
          if (await locked()) { stop(); leaveOff(); }
        }
      };
    }

    // Nothing can be done here any more but to sign in.
    function leaveOff() {
      say("not live: you are signed out", "warning");
      const acts = section.querySelector("[data-live-acts]") ?? document.createElement("div");
      const again = document.createElement("a");
      again.className = "button";
      again.href = location.href;
      again.textContent = "Sign in again";
      acts.className = "acts";
      acts.replaceChildren(again);
      section.append(acts);
    }

    function stop() {
      clearTimeout(later);
      turn += 1;
      source?.close();
      source = null;
      leave?.();
      leave = null;
    }

    // Pages that nobody looks at leave their connection to others.
    function rest() {
      stop();
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

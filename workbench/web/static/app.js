// The dashboard's own script: theme, interactive charts, tabs, forms that submit themselves. No framework.
(() => {
  "use strict";
  const root = document.documentElement;
  const darkSystem = matchMedia("(prefers-color-scheme: dark)");
  const ours = document.querySelector('script[src*="/static/app.js"]');
  const plotly = ours && ours.dataset.plotly;

  // --- light and dark -----------------------------------------------------------------------------------
  const button = document.getElementById("theme");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : darkSystem.matches);
  const label = () => {
    const words = isDark() ? "Switch to light" : "Switch to dark";
    button.setAttribute("aria-label", words);
    button.title = words;
  };
  if (button) {
    button.hidden = false;
    label();
    button.addEventListener("click", () => {
      const wanted = isDark() ? "light" : "dark";
      root.dataset.theme = wanted;
      try { localStorage.setItem("theme", wanted); } catch { /* for this page only */ }
      label();
      redraw();
    });
    darkSystem.addEventListener("change", () => { label(); redraw(); });
  }

  // --- charts -------------------------------------------------------------------------------------------
  let loading = null;
  const load = () => {
    loading ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = plotly;
      script.onload = () => done(window.Plotly);
      script.onerror = failed;
      document.head.append(script);
    });
    return loading;
  };
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const touch = matchMedia("(pointer: coarse)").matches;

  const colour = (word, style) => {
    const [name, share] = word.slice(1).split("/");
    const value = style.getPropertyValue(`--${name}`).trim() || "#888";
    if (!share) return value;
    const part = (at) => parseInt(value.slice(at, at + 2), 16);
    return `rgba(${part(1)},${part(3)},${part(5)},${Number(share) / 100})`;
  };
  const coloured = (found, style) => {
    if (typeof found === "string") return found.startsWith("@") ? colour(found, style) : found;
    if (Array.isArray(found)) {
      return typeof found[0] === "object" ? found.map((each) => coloured(each, style)) : found;
    }
    if (found && typeof found === "object") {
      return Object.fromEntries(
        Object.entries(found).map(([key, each]) => [key, WORDS.has(key) ? each : coloured(each, style)]),
      );
    }
    return found;
  };
  const WORDS = new Set(["text", "hovertext", "name", "ticktext", "legendgroup", "x", "y"]);

  let printing = false;

  const layoutOf = (layout, style, box) => {
    const text = style.getPropertyValue("--text").trim();
    const soft = style.getPropertyValue("--soft").trim();
    const rule = style.getPropertyValue("--rule").trim();
    const paper = style.getPropertyValue("--paper").trim();
    const narrow = box.clientWidth < 520;
    const axis = (own) => ({
      gridcolor: rule, linecolor: soft, tickcolor: rule, tickfont: { color: soft }, ...own,
      title: { ...own.title, font: { color: soft, size: 12 }, standoff: 12 },
      fixedrange: touch, nticks: narrow ? 5 : 8,
    });
    return {
      ...layout,
      xaxis: { ...axis(layout.xaxis), showline: true },
      yaxis: axis(layout.yaxis),
      font: { family: style.fontFamily, size: 12, color: text },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 8, r: 14, t: layout.showlegend ? 8 : 18, b: 8, autoexpand: true },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { color: text }, itemclick: "toggle" },
      hovermode: "closest", dragmode: touch ? false : "zoom", autosize: true,
      ...(printing ? { width: box.clientWidth } : {}),
      hoverlabel: { bgcolor: paper, bordercolor: rule, font: { color: text, size: 12 }, align: "left" },
      transition: still ? undefined : { duration: 0 },
    };
  };

  const draw = async (figure) => {
    const box = figure.querySelector(".canvas");
    const found = figure.querySelector('script[type="application/json"]');
    if (!box || !found || box.clientWidth === 0) return;
    const Plotly = await load();
    const { data, layout } = JSON.parse(found.textContent);
    const style = getComputedStyle(figure);
    let target = box.querySelector(".interactive");
    if (!target) {
      target = document.createElement("div");
      target.className = "interactive";
      target.setAttribute("aria-hidden", "true");
      box.append(target);
    }
    const config = { displayModeBar: false, responsive: true, showTips: false, staticPlot: false };
    await Plotly.react(target, coloured(data, style), layoutOf(coloured(layout, style), style, box), config);
    figure.classList.add("drawn");
  };
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "400px" });
  const redraw = () => document.querySelectorAll("figure.drawn").forEach(draw);

  // Paper is light and as wide as paper, whatever the screen is.
  let before;
  addEventListener("beforeprint", () => {
    before = root.dataset.theme;
    printing = true;
    root.dataset.theme = "light";
    root.classList.add("printing");
    document.querySelectorAll("figure[data-chart]").forEach(draw);
  });
  addEventListener("afterprint", () => {
    printing = false;
    if (before) root.dataset.theme = before;
    else delete root.dataset.theme;
    root.classList.remove("printing");
    redraw();
  });

  // --- several charts of one kind, one at a time ----------------------------------------------------------
  const chosenTabs = {};
  const tabs = (group) => {
    const figures = [...group.querySelectorAll(":scope > figure")];
    const name = group.dataset.tabs;
    const bar = document.createElement("div");
    bar.className = "switch";
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", "Shown against");
    const show = (chosen) => {
      chosenTabs[name] = chosen;
      figures.forEach((figure, place) => { figure.hidden = place !== chosen; });
      [...bar.children].forEach((each, place) => each.setAttribute("aria-pressed", String(place === chosen)));
      if (figures[chosen].hasAttribute("data-chart")) draw(figures[chosen]);
    };
    figures.forEach((figure, place) => {
      const each = document.createElement("button");
      each.type = "button";
      each.textContent = figure.dataset.tab;
      each.addEventListener("click", () => show(place));
      bar.append(each);
    });
    group.prepend(bar);
    show(Math.min(chosenTabs[name] ?? 0, figures.length - 1));
  };

  // --- what a page brings, now and later -----------------------------------------------------------------
  const prepare = (part) => {
    part.querySelectorAll("[data-tabs]:not([data-ready])").forEach((each) => {
      each.dataset.ready = "";
      tabs(each);
    });
    part.querySelectorAll("figure[data-chart]:not([data-ready])").forEach((each) => {
      each.dataset.ready = "";
      seen.observe(each);
    });
    part.querySelectorAll("form[data-submits]:not([data-ready])").forEach((form) => {
      form.dataset.ready = "";
      form.addEventListener("change", () => form.requestSubmit());
    });
    part.querySelectorAll("input[type=range]:not([data-ready])").forEach((slider) => {
      slider.dataset.ready = "";
      const words = slider.form && slider.form.querySelector(`output[for="${CSS.escape(slider.id)}"]`);
      if (words) {
        slider.addEventListener("input", () => {
          words.textContent = Number(slider.value).toLocaleString("en").replaceAll(",", "\u202f");
        });
      }
    });
    part.querySelectorAll("form").forEach((form) => {
      // An empty field says nothing: addresses stay short.
      if (form.method === "get" && !form.dataset.short) {
        form.dataset.short = "";
        form.addEventListener("formdata", (event) => {
          for (const [name, value] of [...event.formData.entries()]) if (value === "") event.formData.delete(name);
        });
      }
    });
  };
  prepare(document);
  new MutationObserver((changes) => {
    if (changes.some((change) => [...change.addedNodes].some(
      (node) => node.nodeType === 1 && !node.closest(".canvas"),
    ))) prepare(document);
  }).observe(document.body, { childList: true, subtree: true });
  if (document.querySelector("figure[data-chart]") && plotly) load();

  // What was opened over the page is closed by Escape, and by a click beside it.
  const close = (box) => { box.open = false; };
  document.addEventListener("keydown", (event) => {
    const box = event.key === "Escape" && event.target.closest?.(".as-of-box[open]");
    if (box) { close(box); box.querySelector("summary").focus(); }
  });
  document.addEventListener("click", (event) => {
    document.querySelectorAll(".as-of-box[open]").forEach((box) => { if (!box.contains(event.target)) close(box); });
  });

  // On a narrow screen the navigation is a strip: bring the page's own entry into view.
  const here = document.querySelector(".side a[aria-current]");
  const strip = document.querySelector(".side");
  if (here && strip && strip.scrollWidth > strip.clientWidth) {
    strip.scrollLeft = here.offsetLeft - strip.clientWidth / 2 + here.clientWidth / 2;
  }
})();

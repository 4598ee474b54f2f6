// In Locust's own page: shows ours under the tabs "LLM" and "GPU", which Locust itself can only fill with a table.
"use strict";
(() => {
  const VIEWS = ["llm", "gpu"];
  let frame = null;

  const isDark = () => {
    const parts = getComputedStyle(document.body).backgroundColor.match(/\d+/g);
    return parts !== null && parts.length < 4 && parts.slice(0, 3).reduce((sum, part) => sum + Number(part), 0) < 384;
  };
  const dress = () => {
    const inner = frame?.contentDocument?.documentElement;
    const scheme = isDark() ? "dark" : "light";
    if (inner && inner.dataset.framed !== scheme) {
      inner.dataset.framed = scheme;
      frame.contentWindow.dispatchEvent(new Event("glm-dress"));
    }
  };
  const made = (view) => {
    const one = document.createElement("iframe");
    one.id = "glm-frame";
    one.title = view === "gpu" ? "GPU" : "LLM";
    one.dataset.view = view;
    one.src = `./glm/?view=${view}`;
    Object.assign(one.style, { display: "block", width: "100%", height: "80vh", border: "0" });
    one.addEventListener("load", () => {
      const body = one.contentDocument?.body;
      if (!body) return;
      dress();
      new ResizeObserver(() => { one.style.height = `${body.scrollHeight + 8}px`; }).observe(body);
    });
    return one;
  };
  // Locust's page leaves foreign last children alone; where its structure is another, ours goes to the end.
  const place = () => {
    const tabs = document.querySelector('[role="tablist"]');
    return tabs?.closest(".MuiContainer-root") ?? tabs?.parentElement?.parentElement ?? null;
  };
  const update = () => {
    const view = new URLSearchParams(window.location.search).get("tab");
    const home = VIEWS.includes(view) ? place() : null;
    if (frame && (!home || frame.dataset.view !== view || frame.parentElement !== home)) {
      frame.remove();
      frame = null;
    }
    if (home && !frame) {
      frame = made(view);
      home.append(frame);
    }
    dress();
  };
  new MutationObserver(update).observe(document.getElementById("root") ?? document.body, { childList: true, subtree: true });
  new MutationObserver(dress).observe(document.head, { childList: true, subtree: true });
  window.addEventListener("popstate", update);
  update();
})();

// Draws the charts from the page's own JSON. A string "--name" in it stands for a colour of the style,
// so charts follow light, dark and print.
"use strict";
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  const coloured = (value, style) => {
    if (typeof value === "string") {
      return value.startsWith("--") ? style.getPropertyValue(value).trim() : value;
    }
    if (Array.isArray(value)) {
      return value.map((one) => coloured(one, style));
    }
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, coloured(one, style)]));
    }
    return value;
  };

  // Labels may hold what a server said; Plotly reads some markup in labels, so none gets through.
  const plain = (value) => {
    if (typeof value === "string") {
      return value.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
    }
    return Array.isArray(value) ? value.map(plain) : value;
  };
  const labelled = (trace) => ({ ...trace, name: plain(trace.name), x: plain(trace.x), y: plain(trace.y) });

  const layoutOf = (own, style, width) => {
    const ink = style.getPropertyValue("--text").trim();
    const grid = style.getPropertyValue("--grid").trim();
    const narrow = width < 560;
    const size = narrow ? 11 : 13;
    // A chart of lanes has one axis of time and, for each lane, one of values.
    const lanes = Object.keys(own).filter((key) => /^yaxis\d+$/.test(key));
    const axis = { title: { font: { size } }, gridcolor: grid, linecolor: grid, zerolinecolor: grid, automargin: true, fixedrange: true };
    return {
      ...own,
      xaxis: { ...axis, ...own.xaxis, title: { ...axis.title, ...own.xaxis?.title } },
      yaxis: { ...axis, ...own.yaxis },
      ...Object.fromEntries(lanes.map((key) => [key, { ...axis, ...own[key] }])),
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size, color: ink },
      margin: { l: narrow ? 8 : 16, r: 12, t: 12, b: 8 },
      height: (own.height ?? 360) + (narrow ? 80 : 0),
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1.03, yanchor: "bottom", itemwidth: 30 },
      hovermode: "closest",
      dragmode: false,
    };
  };

  const draw = () => {
    const style = getComputedStyle(document.documentElement);
    for (const place of document.querySelectorAll("[data-plot]")) {
      const { data, layout } = charts[place.dataset.plot];
      place.closest("figure").hidden = false;
      const traces = data.map((trace) => labelled(coloured(trace, style)));
      Plotly.react(place, traces, layoutOf(layout, style, place.clientWidth), {
        displayModeBar: false,
        responsive: true,
      });
    }
  };

  // Paper cannot unfold anything.
  window.addEventListener("beforeprint", () => {
    for (const folded of document.querySelectorAll("details")) {
      folded.open = true;
    }
  });
  draw();
  dark.addEventListener("change", draw);
  window.matchMedia("print").addEventListener("change", draw);
})();

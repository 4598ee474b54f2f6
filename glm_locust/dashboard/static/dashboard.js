// Asks the load test once a second for what is new and shows it. Text goes into the page as text only.
"use strict";
(() => {
  const words = JSON.parse(document.getElementById("words").textContent);
  const root = document.documentElement;
  const POLL_MS = 1000;
  const MOST_POINTS = 1600;
  const DRAWN_POINTS = 300;
  const PATH_COLOURS = { api: "--api", web: "--web", "web-jupyter": "--jupyter" };
  const OTHER_COLOURS = ["--other-1", "--other-2", "--other-3", "--other-4"];
  const SERIES_COLOURS = ["--api", "--web", "--jupyter", ...OTHER_COLOURS, "--quiet"];

  // Times are durations on an axis of dates. It takes short numbers for years, so durations count from here.
  const MIDNIGHT_MS = Date.UTC(2000, 0, 1);
  const onAxis = (seconds) => MIDNIGHT_MS + seconds * 1000;

  let run = null;
  let next = 0;
  let points = [];
  let shown = null;
  let range = 0;

  // Words and figures

  const say = (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const nameOf = (kind, id) => words[`${kind}.${id}`] ?? id;
  const grouped = (value, digits) =>
    value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace(/^-/, "−");
  const missing = "n/a";
  const bareMs = (s) => (s === null || s === undefined ? missing : grouped(s * 1000, Math.abs(s) < 0.09995 ? 1 : 0));
  const ms = (s) => `${bareMs(s)}\u00a0ms`;
  const count = (n) => (n === null || n === undefined ? missing : grouped(n, 0));
  const rate = (n) => (n === null || n === undefined ? missing : grouped(n, n < 99.95 ? 1 : 0));
  const percent = (share) =>
    share === null || share === undefined ? missing : `${grouped(share * 100, share !== 0 && Math.abs(share) < 0.0995 ? 1 : 0)} %`;
  const clock = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds));
    const two = (n) => String(n).padStart(2, "0");
    const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
    return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(whole % 60)}`;
  };
  const UNITS = {
    busy: percent, cpu: percent, kv_cache: percent, requests_running: count, requests_waiting: count,
    memory_used: (v) => `${grouped(v / 1e9, 2)} GB`, memory_total: (v) => `${grouped(v / 1e9, 2)} GB`,
    power: (v) => `${grouped(v, 0)} W`, temperature: (v) => `${grouped(v, 0)} °C`, sm_clock: (v) => `${grouped(v / 1e6, 0)} MHz`,
  };

  // Elements

  const byId = (id) => document.getElementById(id);
  const element = (tag, text = "", className = "") => {
    const made = document.createElement(tag);
    made.textContent = text;
    made.className = className;
    return made;
  };
  const head = (text) => {
    const made = element("th", text);
    made.scope = "row";
    made.title = text;
    return made;
  };
  const row = (cells, className = "") => {
    const made = element("tr", "", className);
    made.append(...cells);
    return made;
  };

  // Charts

  const column = (name, scale = 1) => points.map((point) => (name in point ? point[name] * scale : null));
  const labelsOf = (prefix) => {
    const found = new Set();
    for (const point of points) {
      for (const name of Object.keys(point)) {
        if (name.startsWith(`${prefix}/`)) found.add(name.slice(prefix.length + 1));
      }
    }
    return [...found].sort();
  };
  const colourOfPath = (path) => {
    if (path in PATH_COLOURS) return PATH_COLOURS[path];
    const others = [...new Set([...labelsOf("ttft_p50_s"), ...labelsOf("in_flight")])].filter((one) => !(one in PATH_COLOURS)).sort();
    return OTHER_COLOURS[others.indexOf(path) % OTHER_COLOURS.length];
  };
  const line = (name, values, colour, style = {}) => ({ name, values, colour, style });
  const perDevice = (quantity, scale) =>
    labelsOf(quantity).map((device, i) => line(device, column(`${quantity}/${device}`, scale), SERIES_COLOURS[i % SERIES_COLOURS.length]));
  const CHARTS = {
    ttft: [" ms", () =>
      labelsOf("ttft_p50_s").flatMap((path) => [
        line(`${nameOf("path", path)} p50`, column(`ttft_p50_s/${path}`, 1000), colourOfPath(path), { width: 2 }),
        line(`${nameOf("path", path)} p95`, column(`ttft_p95_s/${path}`, 1000), colourOfPath(path), { width: 1.5, dash: "dot" }),
      ])],
    tokens: ["", () => [line(words["line.tokens"], column("tokens_per_s"), "--api")]],
    requests: ["", () => [
      line(words["line.answered"], column("requests_per_s"), "--api"),
      line(words["line.failed"], column("failures_per_s"), "--bad"),
      line(words["line.warmup"], column("warmup_per_s"), "--quiet", { dash: "dot" }),
    ].filter(({ values }, i) => i === 0 || values.some((value) => value))],
    in_flight: ["", () => labelsOf("in_flight").map((path) => line(nameOf("path", path), column(`in_flight/${path}`), colourOfPath(path), { shape: "hv" }))],
    lag: [" ms", () => [
      line(words["line.generator_lag"], column("generator_lag_p95_s", 1000), "--other-1"),
      line(words["line.send_lag"], column("send_lag_p95_s", 1000), "--other-2"),
    ]],
    cpu: [" %", () => [
      line(words["line.worker_cpu"], column("worker_cpu_ratio", 100), "--other-2"),
      line(words["line.host_cpu"], column("host_cpu_ratio", 100), "--other-3"),
    ]],
    busy: [" %", () => perDevice("busy", 100)],
    memory: [" GB", () => perDevice("memory_used", 1e-9).filter(({ name }) => name.startsWith("GPU"))],
    power: [" W", () => perDevice("power", 1)],
    temperature: [" °C", () => perDevice("temperature", 1)],
    host: [" %", () => perDevice("cpu", 100)],
    engine: ["", () => [
      ...labelsOf("requests_running").map((device, i) => line(say("line.running", { device }), column(`requests_running/${device}`), SERIES_COLOURS[2 * i])),
      ...labelsOf("requests_waiting").map((device, i) => line(say("line.waiting", { device }), column(`requests_waiting/${device}`), SERIES_COLOURS[2 * i + 1])),
    ]],
  };

  // Labels may come from a server; Plotly reads some markup in names, so none gets through.
  const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  const draw = () => {
    const style = getComputedStyle(root);
    const colour = (name) => style.getPropertyValue(name).trim();
    const last = points.length ? points[points.length - 1].t : 0;
    const first = range ? Math.max(0, last - range) : 0;
    const visible = points.map((point, i) => i).filter((i) => points[i].t >= first);
    const step = Math.max(1, Math.ceil(visible.length / DRAWN_POINTS));
    // Counted from a fixed number, so that the same points stay while new ones come.
    const places = visible.filter((i) => points[i].number % step === 0 || i === points.length - 1);
    const times = places.map((i) => onAxis(points[i].t));
    const size = window.innerWidth < 640 ? 11 : 12;
    const axis = { gridcolor: colour("--grid"), linecolor: colour("--line"), zerolinecolor: colour("--line"), automargin: true, fixedrange: true };
    for (const [id, [unit, lines]] of Object.entries(CHARTS)) {
      const figure = byId(`chart-${id}`);
      const wanted = lines().filter(({ values }) => values.some((value) => value !== null));
      figure.hidden = !wanted.length;
      if (figure.hidden || !figure.offsetParent) continue;
      const traces = wanted.map(({ name, values, colour: own, style: { shape = "linear", ...more } }) => ({
        type: "scatter", mode: places.length > 1 ? "lines" : "markers", name: plain(name), x: times, y: places.map((i) => values[i]),
        line: { color: colour(own), width: 1.75, shape, ...more }, marker: { color: colour(own) },
        hovertemplate: `%{y:,.4~g}${unit}`,
      }));
      Plotly.react(figure.querySelector(".plot"), traces, {
        xaxis: {
          ...axis, type: "date", range: [onAxis(first), onAxis(Math.max(last, first + 10))], nticks: 7, zeroline: false,
          tickformatstops: [{ dtickrange: [null, null], value: last >= 3600 ? "%-H:%M:%S" : "%-M:%S" }],
          hoverformat: "%-H:%M:%S",
        },
        yaxis: { ...axis, ticksuffix: unit, rangemode: "tozero", nticks: 6, separatethousands: true, exponentformat: "none" },
        showlegend: traces.length > 1,
        legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom", itemwidth: 30, itemclick: false, itemdoubleclick: false },
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        font: { family: "system-ui, sans-serif", size, color: colour("--muted") },
        hoverlabel: { font: { family: "system-ui, sans-serif", size } },
        margin: { l: 8, r: 10, t: 4, b: 4 }, hovermode: "x unified", dragmode: false,
      }, { displayModeBar: false, responsive: true });
    }
  };

  // Tiles and tables

  const tile = (label, value, details = "", bad = false) => {
    const made = element("li");
    made.append(element("p", label, "label"), element("p", value, bad ? "value bad" : "value"), element("p", details, "details"));
    return made;
  };
  const gapTile = (rows) => {
    const wholes = rows.filter((one) => one.task === null && one.ttft_s[0] !== null);
    const base = wholes.find((one) => one.path === "api");
    return wholes.filter((one) => base && one !== base).map((one) => {
      const gap = one.ttft_s[0] - base.ttft_s[0];
      const names = { path: nameOf("path", one.path), base: nameOf("path", "api") };
      const each = [one, base].map((of) => say("tile.p50", { path: nameOf("path", of.path), p50: ms(of.ttft_s[0]) }).replaceAll(" ", "\u00a0"));
      return tile(say("tile.gap", names), `${gap > 0 ? "+" : ""}${ms(gap)}`, each.join(" · "));
    });
  };
  const fillTiles = () => {
    const { counts, rows, arrivals, in_flight: inFlight } = shown;
    const now = points[points.length - 1] ?? {};
    const ended = counts.answered + counts.failed;
    byId("tiles").replaceChildren(
      tile(words["tile.answered"], count(ended), counts.cancelled ? say("tile.cancelled", { n: count(counts.cancelled) }) : ""),
      tile(words["tile.failed"], count(counts.failed), ended ? say("tile.share", { share: percent(counts.failed / ended) }) : "", counts.failed > 0),
      tile(words["tile.in_flight"], count(inFlight)),
      ...(arrivals === null ? [] : [
        tile(words["tile.arrivals"], rate(arrivals.started_per_s), arrivals.due_per_s === null ? words["tile.last"] : say("tile.due", { due: rate(arrivals.due_per_s) })),
        tile(words["tile.dropped"], count(arrivals.dropped), arrivals.dropped ? say("tile.share", { share: percent(arrivals.dropped / (arrivals.dropped + arrivals.started)) }) : "", arrivals.dropped > 0),
      ]),
      tile(words["tile.requests"], rate(now.requests_per_s), words["tile.last"]),
      tile(words["tile.tokens"], rate(now.tokens_per_s), words["tile.last"]),
      ...gapTile(rows),
    );
  };
  const fillTable = () => {
    const goodput = shown.run.goodput.length > 0;
    document.querySelector(".goodput").hidden = !goodput;
    byId("goodput").textContent = shown.run.goodput.map((objective) => say("note.goodput", { objective })).join("; ");
    byId("table").tBodies[0].replaceChildren(...shown.rows.map((one) => {
      const whole = one.task === null;
      const name = whole ? nameOf("path", one.path) : nameOf("task", one.task);
      const times = [one.ttft_s, one.ttfo_s, one.itl_s, one.tpot_s, one.e2e_s].flat().map((value) => element("td", bareMs(value)));
      const cells = [
        head(name), element("td", count(one.n)), element("td", count(one.failed), one.failed ? "bad" : ""), element("td", count(one.in_flight)),
        ...times, element("td", rate(one.output_tokens_per_s[0])), ...(goodput ? [element("td", percent(one.goodput))] : []),
      ];
      return row(cells, whole ? "whole" : "");
    }));
    const failures = shown.rows.filter((one) => one.task !== null).flatMap((one) =>
      Object.entries(one.failures).map(([kind, n]) =>
        row([head(`${nameOf("path", one.path)} · ${nameOf("task", one.task)}`), element("td", nameOf("kind", kind), "word"), element("td", count(n))])));
    byId("failures-section").hidden = !failures.length;
    byId("failures").tBodies[0].replaceChildren(...failures);
  };
  const fillDevices = () => {
    const { devices } = shown;
    const quantities = Object.keys(UNITS).filter((quantity) => devices.some(({ readings }) => quantity in readings));
    const sampled = devices.length > 0 || labelsOf("busy").length > 0 || labelsOf("cpu").length > 0;
    byId("no-samples").hidden = sampled;
    byId("gpu-section").hidden = !sampled && document.body.dataset.view === "all";
    const table = byId("devices");
    table.hidden = !devices.length;
    const model = devices.some((device) => device.model);
    const titles = [words["col.device"], ...(model ? [words["col.model"]] : []), ...quantities.map((one) => words[`quantity.${one}`])];
    table.tHead.rows[0].replaceChildren(...titles.map((title, i) => element("th", title, model && i === 1 ? "word" : "")));
    table.tBodies[0].replaceChildren(...devices.map(({ name, model: of, readings }) =>
      row([head(name), ...(model ? [element("td", of, "word")] : []), ...quantities.map((one) => element("td", one in readings ? UNITS[one](readings[one]) : ""))])));
  };

  const tell = (state, banner, bad = false) => {
    byId("state").dataset.state = state;
    byId("state").textContent = words[`state.${state}`];
    byId("banner").hidden = !banner;
    byId("banner").textContent = banner;
    byId("banner").className = bad ? "banner bad" : "banner";
  };
  const show = () => {
    const { run: facts, counts } = shown;
    document.querySelector("main").hidden = false;
    byId("run").textContent = say("run", { run: facts.id });
    byId("elapsed").textContent = say("elapsed", { time: clock(facts.elapsed_s) });
    byId("report").hidden = !facts.report;
    const measured = counts.answered + counts.failed > 0;
    const warmup = { n: count(counts.warmup) };
    byId("warmup").textContent = measured && counts.warmup ? say("warmed", warmup) : "";
    tell(facts.state, !measured && counts.warmup ? say("warming", warmup) : "");
    fillTiles();
    fillTable();
    fillDevices();
    draw();
  };

  // Polling

  const take = (answer) => {
    if (answer.run === null) {
      [run, next, points, shown] = [null, 0, [], null];
      document.querySelector("main").hidden = true;
      tell("none", answer.refusal ?? words.nothing, Boolean(answer.refusal));
      return;
    }
    if (answer.run.id !== run || answer.since === 0) points = [];
    run = answer.run.id;
    next = answer.next;
    const names = Object.keys(answer.points);
    const fresh = (answer.points.t ?? []).map((_, i) =>
      Object.fromEntries(names.map((name) => [name, answer.points[name][i]]).filter(([, value]) => value !== null)));
    points.push(...fresh);
    if (points.length > MOST_POINTS) {
      const half = points.length / 2;
      points = points.filter((point, i) => i > half || i % 2 === 0);
    }
    shown = answer;
    show();
  };
  const poll = async () => {
    try {
      const query = new URLSearchParams({ run: run ?? "", since: String(next) });
      const answer = await fetch(`data?${query}`, { cache: "no-store", credentials: "same-origin", redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      take(await answer.json());
    } catch {
      tell("lost", shown ? say("lost", { time: clock(shown.run.elapsed_s) }) : "", true);
    }
    setTimeout(poll, document.hidden ? 5 * POLL_MS : POLL_MS);
  };

  // Colours: the system's, or those of the page that this one is framed in

  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const dress = () => {
    root.dataset.scheme = root.dataset.framed ?? (system.matches ? "dark" : "light");
    if (shown) draw();
  };
  system.addEventListener("change", dress);
  window.addEventListener("glm-dress", dress);
  for (const button of document.querySelectorAll("[data-range]")) {
    button.addEventListener("click", () => {
      range = Number(button.dataset.range);
      for (const other of document.querySelectorAll("[data-range]")) other.setAttribute("aria-pressed", String(other === button));
      draw();
    });
  }
  dress();
  poll();
})();

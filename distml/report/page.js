// Draws each chart when it comes into view, in the system's light or dark, and reads points aloud by arrow keys.
(() => {
  "use strict";
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse)").matches; // a finger scrolls the page; it must not zoom a chart instead
  const themes = JSON.parse(document.getElementById("themes").textContent);
  const told = document.getElementById("told");
  const plots = [...document.querySelectorAll(".plot")];
  const narrow = (plot) => plot.clientWidth < 520;

  const hasWebGL = (() => {
    try {
      const context = document.createElement("canvas").getContext("webgl");
      context?.getExtension("WEBGL_lose_context")?.loseContext(); // a browser gives a page a few of them only
      return Boolean(context);
    } catch {
      return false;
    }
  })();

  function figureOf(plot) {
    const { data, layout } = JSON.parse(document.getElementById(`${plot.id}-data`).textContent);
    if (!hasWebGL) {
      if (data.some((trace) => trace.type === "parcoords")) throw new Error("this chart needs WebGL, which this browser has not");
      for (const trace of data) if (trace.type === "scattergl") trace.type = "scatter";
    }
    const template = themes[dark.matches ? "dark" : "light"];
    const small = narrow(plot) ? { font: { size: 12 }, margin: { ...template.layout.margin, ...layout.margin, l: 44, r: 8 } } : {};
    return { data, layout: { ...layout, ...small, template, autosize: true, dragmode: touch ? false : (layout.dragmode ?? "zoom") } };
  }

  function draw(plot) {
    if (plot.dataset.state || plot.closest("[hidden]")) return;
    plot.dataset.state = "drawing";
    try {
      const { data, layout } = figureOf(plot);
      Plotly.newPlot(plot, data, layout, {
        responsive: true,
        displaylogo: false,
        displayModeBar: touch ? false : "hover",
        modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
      }).then(() => {
        plot.dataset.state = "drawn";
      });
    } catch (error) {
      plot.dataset.state = "failed";
      plot.textContent = `Not drawn: ${error.message}. The page's tables say the same.`;
    }
  }

  function clear(plot) {
    if (plot.dataset.state === "drawn") Plotly.purge(plot);
    delete plot.dataset.state;
    plot.textContent = "";
  }

  // --- charts, when they are looked at

  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
    },
    { rootMargin: "400px" },
  );
  plots.forEach((plot) => watcher.observe(plot));
  addEventListener("beforeprint", () => plots.forEach(draw));

  dark.addEventListener("change", () => {
    for (const plot of plots) {
      if (plot.dataset.state !== "drawn") continue;
      const { data, layout } = figureOf(plot);
      Plotly.react(plot, data, layout);
    }
  });

  for (const pick of document.querySelectorAll(".choice input")) {
    pick.addEventListener("change", () => {
      for (const figure of pick.closest(".choice").querySelectorAll("figure")) {
        figure.hidden = figure.id !== pick.value;
        const plot = figure.querySelector(".plot");
        if (figure.hidden) clear(plot);
        else draw(plot);
      }
    });
  }

  // --- points by arrow keys: left and right along a line, up and down to the next one

  function readable(plot) {
    return (plot.calcdata ?? []).flatMap((points, curve) => {
      const trace = points[0]?.trace;
      const cartesian = trace && (trace.type === "scatter" || trace.type === "bar") && trace.hoverinfo !== "skip";
      const whole = points.flatMap((point, number) => (point.x === undefined || point.x === false || Number.isNaN(point.y) ? [] : [number]));
      return cartesian && trace.visible === true && whole.length ? [{ curve, trace, whole }] : [];
    });
  }

  function step(plot, along, across) {
    const curves = readable(plot);
    if (!curves.length) return;
    const at = plot.distmlAt ?? { line: 0, place: -1 };
    at.line = (at.line + across + curves.length) % curves.length;
    const { curve, trace, whole } = curves[at.line];
    at.place = Math.min(Math.max(at.place + along, 0), whole.length - 1);
    plot.distmlAt = at;
    const number = whole[at.place];
    Plotly.Fx.hover(plot, [{ curveNumber: curve, pointNumber: number }]);
    const named = (axis, fallback) => axis?.title?.text || fallback;
    const called = (axis, one) => axis?.ticktext?.[axis.tickvals?.indexOf(one)]; // a place on an axis of names
    const value = (one) => (typeof one === "number" ? Number(one.toPrecision(4)).toString() : String(one));
    const { xaxis, yaxis } = plot.layout;
    told.textContent = [trace.name, `${named(xaxis, "x")} ${called(xaxis, trace.x[number]) ?? value(trace.x[number])}`, `${named(yaxis, "y")} ${called(yaxis, trace.y[number]) ?? value(trace.y[number])}`]
      .filter(Boolean)
      .join(", ");
  }

  const moves = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  for (const plot of plots) {
    plot.addEventListener("focus", () => draw(plot));
    plot.addEventListener("keydown", (event) => {
      if (event.key === "Escape") Plotly.Fx.unhover(plot);
      if (!(event.key in moves) || plot.dataset.state !== "drawn") return;
      event.preventDefault();
      step(plot, ...moves[event.key]);
    });
  }

  // --- where the reader is

  const entries = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver(
    (changes) => {
      for (const { target, isIntersecting } of changes) {
        if (!isIntersecting) continue;
        for (const link of entries.values()) link.removeAttribute("aria-current");
        const link = entries.get(target.id);
        link?.setAttribute("aria-current", "true");
        const list = link?.closest("ul");
        if (list && list.scrollWidth > list.clientWidth) list.scrollLeft = link.offsetLeft - list.clientWidth / 3;
      }
    },
    { rootMargin: "-15% 0px -75% 0px" },
  );
  document.querySelectorAll("main section").forEach((section) => seen.observe(section));
})();

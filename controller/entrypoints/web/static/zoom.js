/* Charts that can be zoomed, drawn by uPlot from the table that stands beside each: drag to zoom, double click or the
   button to see all again. Without this script the drawing of the server stays, and the table. */
(function () {
  "use strict";

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function columns(table) {
    var rows = Array.prototype.map.call(table.tBodies[0].rows, function (row) {
      return Array.prototype.map.call(row.cells, function (cell) {
        return cell.dataset.v === undefined || cell.dataset.v === "" ? null : Number(cell.dataset.v);
      });
    }).filter(function (row) { return row[0] !== null; });
    rows.sort(function (a, b) { return a[0] - b[0]; });
    var names = Array.prototype.map.call(table.tHead.rows[0].cells, function (cell) { return cell.textContent; });
    var used = names.map(function (_, i) { return i; }).filter(function (i) {
      return i === 0 || rows.some(function (row) { return row[i] !== null && row[i] !== undefined; });
    });
    return {
      names: used.map(function (i) { return names[i]; }),
      data: used.map(function (i) { return rows.map(function (row) { return row[i]; }); })
    };
  }

  function draw(figure) {
    var table = figure.querySelector("table[data-plot]");
    var place = figure.querySelector(".plot-place");
    if (!table || !place || figure.dataset.drawn) { return; }
    var found = columns(table);
    if (found.data.length < 2 || found.data[0].length < 2) { return; }
    figure.dataset.drawn = "yes";
    var timed = table.dataset.plot === "time";
    function day(plot, splits) {
      var short = splits.length > 1 && splits[1] - splits[0] < 86400;
      return splits.map(function (s) {
        var text = new Date(s * 1e3).toISOString();
        return short ? text.slice(5, 16).replace("T", " ") : text.slice(0, 10);
      });
    }
    var axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
    var strokes = [colour("--accent"), colour("--ok"), colour("--warn"), colour("--bad")];
    var options = {
      width: Math.max(place.clientWidth, 200),
      height: 240,
      cursor: { drag: { x: true, y: false } },
      scales: { x: { time: timed } },
      axes: [Object.assign(timed ? { values: day, space: 100 } : {}, axis), Object.assign({ size: 64 }, axis)],
      series: [{ label: found.names[0], value: timed ? function (u, v) { return v === null ? "--" : new Date(v * 1e3).toISOString().slice(0, 16).replace("T", " "); } : undefined }].concat(found.names.slice(1).map(function (name, i) {
        return { label: name, stroke: strokes[i % strokes.length], width: 2, spanGaps: true, points: { size: 6 } };
      }))
    };
    place.textContent = "";
    var plot = new uPlot(options, found.data, place);
    plot.root.querySelector("canvas").setAttribute("role", "img");
    plot.root.querySelector("canvas").setAttribute("aria-label", figure.dataset.label || "Chart; its table is below");
    var button = document.createElement("button");
    button.type = "button";
    button.className = "link small";
    button.textContent = "See all";
    button.addEventListener("click", function () { plot.setData(found.data); });
    place.appendChild(button);
    new ResizeObserver(function () {
      if (place.clientWidth && Math.abs(place.clientWidth - plot.width) > 1) {
        plot.setSize({ width: place.clientWidth, height: 240 });
      }
    }).observe(figure);
  }

  function all(root) { root.querySelectorAll("figure.zoom").forEach(draw); }

  document.addEventListener("DOMContentLoaded", function () { all(document); });
  document.addEventListener("htmx:afterSwap", function (event) { all(event.target); });
}());

// The last five minutes, drawn by uPlot.

import { html, useEffect, useRef, useState } from './vendor/preact-htm.js';
import { time } from './format.js';

const height = 112;
const shown = 300; // seconds
const bridged = 10; // seconds without a request that a line of times is drawn across

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// decades are the whole powers of ten around two values, powers those within: a
// median of microseconds and a tail of seconds are both seen.
function decades(low, high) {
  const from = Math.floor(Math.log10(low));
  return [10 ** from, 10 ** Math.max(from + 1, Math.ceil(Math.log10(high)))];
}

function powers(low, high) {
  const list = [];
  for (let at = low; at <= high * 1.001; at *= 10) list.push(at);
  return list;
}

// silent is whether nothing was measured between two points for so long that a
// line from one to the other would tell of times that nobody had.
const silent = (from, to) => to - from > bridged;

// gaps are those breaks of a line, in pixels of the canvas, that are left open.
const gaps = (u, _line, _from, _to, all) => all.filter(([from, to]) => silent(u.posToVal(from, 'x', true), u.posToVal(to, 'x', true)));

// lone are the values with no line on either side: they are drawn as points.
function lone(u, line) {
  const [x, y] = [u.data[0], u.data[line]];
  const at = [];
  for (let i = 0; i < y.length; i++) if (y[i] !== null) at.push(i);
  return at.filter((i, n) => (n === 0 || silent(x[at[n - 1]], x[i])) && (n === at.length - 1 || silent(x[i], x[at[n + 1]])));
}

function options(series, axis, width, hover) {
  const line = colour('--line');
  const font = '11px system-ui, sans-serif';
  return {
    width, height, padding: [8, 16, 0, 0], legend: { show: false },
    cursor: { y: false, sync: { key: 'gateway' }, points: { size: 5 }, drag: { x: false, y: false } },
    scales: { y: axis.log ? { distr: 3, range: (_, low, high) => decades(low ?? axis.log, high ?? axis.log) }
      : { range: (_, low, high) => [0, Math.max(axis.least, high * 1.15)] } },
    axes: [
      { font, stroke: colour('--soft'), grid: { show: false }, ticks: { stroke: line, width: 1, size: 4 }, size: 24, space: 70,
        values: (_, marks) => marks.map((at) => time(at * 1000).slice(0, 5)), incrs: [60, 120, 300] },
      { font, stroke: colour('--soft'), grid: { stroke: line, width: 1 }, ticks: { show: false }, size: 46, gap: 6, space: 34,
        values: (_, marks) => marks.map((at) => (at === null ? '' : axis.mark(at))),
        ...(axis.log && { splits: (u) => powers(u.scales.y.min, u.scales.y.max), filter: (_, marks) => marks.map((at, i) => (marks.length <= 4 || i % 2 === 0 ? at : null)) }) },
    ],
    series: [{}, ...series.map((s) => ({
      stroke: colour(s.colour), width: 1.5, fill: s.fill && colour(s.fill), dash: s.dash, gaps, points: { show: false, size: 3, fill: colour(s.colour), filter: lone },
    }))],
    hooks: { setCursor: [(u) => hover(u.cursor.left >= 0 ? u.cursor.idx : null)] },
  };
}

// useTheme changes when the theme does: colours are read when a chart is made.
function useTheme() {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const [theme, set] = useState(dark.matches);
  useEffect(() => {
    const change = () => set(dark.matches);
    dark.addEventListener('change', change);
    return () => dark.removeEventListener('change', change);
  }, []);
  return theme;
}

// Chart shows series of the points. Its numbers are those of now, or of where the
// pointer is.
export function Chart({ title, points, series, axis }) {
  const frame = useRef(null);
  const plot = useRef(null);
  const [hovered, hover] = useState(null);
  const theme = useTheme();
  const data = [points.map((p) => Date.parse(p.at) / 1000), ...series.map((s) => points.map(s.of))];
  useEffect(() => {
    const draw = (width) => {
      plot.current?.destroy();
      plot.current = new window.uPlot(options(series, axis, width, hover), data, frame.current);
      show(plot.current, data);
    };
    draw(frame.current.clientWidth);
    const watch = new ResizeObserver(() => {
      const width = frame.current?.clientWidth;
      if (width && width !== plot.current.width) plot.current.setSize({ width, height });
    });
    watch.observe(frame.current);
    return () => { watch.disconnect(); plot.current.destroy(); plot.current = null; };
  }, [theme]);
  useEffect(() => { if (plot.current) show(plot.current, data); }, [points]);
  const at = points[hovered ?? points.length - 1];
  const words = series.map((s) => `${s.name} ${at ? s.say(at) : 'none'}`).join(', ');
  return html`<figure class="chart">
    <figcaption><h3>${title}</h3>
      <p class="now">${series.map((s) => html`<span class=${`value ${s.class ?? ''}`}><b>${at ? s.say(at) : '…'}</b> ${s.name}</span>`)}
      <span class="when">${hovered === null ? '' : at && time(at.at)}</span></p></figcaption>
    <div class="plot" ref=${frame} role="img" aria-label=${`${title}, the last five minutes. Now: ${words}.`}></div>
  </figure>`;
}

function show(plot, data) {
  const last = data[0][data[0].length - 1] ?? Date.now() / 1000;
  plot.batch(() => {
    plot.setData(data, false);
    plot.setScale('x', { min: last - shown, max: last });
  });
}

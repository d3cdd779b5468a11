// Requests, refusals, latency and the gateway's own share.

import { html } from './vendor/preact-htm.js';
import { Chart } from './charts.js';
import { count, plural, rate, span } from './format.js';

const perSecond = { least: 1, mark: (n) => count(n) === '0' || n >= 1 ? String(+n.toFixed(1)) : n.toFixed(1) };
const time = { log: 100, mark: (us) => (us >= 1e6 ? `${us / 1e6} s` : us >= 1000 ? `${us / 1000} ms` : `${us} µs`) };
// Times are drawn in microseconds; none is less than one, for the sake of the scale.
const scaled = (ms) => (ms === null ? null : Math.max(1, 1000 * ms));

const requests = [
  { name: 'requests/s', of: (p) => p.requests_per_s, say: (p) => rate(p.requests_per_s), colour: '--accent', fill: '--accent-fill' },
];
const refusals = [
  { name: 'refused/s', of: (p) => p.refused_per_s, say: (p) => rate(p.refused_per_s), colour: '--stop', fill: '--stop-fill', class: 'a' },
  { name: 'failed/s', of: (p) => p.failed_per_s, say: (p) => rate(p.failed_per_s), colour: '--ink', dash: [3, 3], class: 'dashed' },
];
const latency = [
  { name: 'p50', of: (p) => scaled(p.p50_ms), say: (p) => span(p.p50_ms), colour: '--accent', fill: '--accent-fill' },
  { name: 'p99', of: (p) => scaled(p.p99_ms), say: (p) => span(p.p99_ms), colour: '--accent', dash: [4, 3], class: 'dashed' },
];
const overhead = [
  { name: 'p50', of: (p) => scaled(p.overhead_p50_ms), say: (p) => span(p.overhead_p50_ms), colour: '--accent', fill: '--accent-fill' },
  { name: 'p99', of: (p) => scaled(p.overhead_p99_ms), say: (p) => span(p.overhead_p99_ms), colour: '--accent', dash: [4, 3], class: 'dashed' },
];

export function Traffic({ points }) {
  const now = points[points.length - 1];
  return html`<section aria-labelledby="traffic"><h2 id="traffic">Traffic</h2>
    <p class="lead">${now && html`${plural(now.requests_total, 'request')} answered and ${count(now.refused_total)} refused by a limit since the start; ${count(now.in_flight)} in flight on ${plural(now.connections, 'open connection')}.`} Times are estimated from the buckets of the histograms.</p>
    <div class="charts">
      <${Chart} title="Requests" points=${points} series=${requests} axis=${perSecond} />
      <${Chart} title="Refused by a limit, and failed" points=${points} series=${refusals} axis=${perSecond} />
      <${Chart} title="Latency, upstream included" points=${points} series=${latency} axis=${time} />
      <${Chart} title="The gateway’s own share" points=${points} series=${overhead} axis=${time} />
    </div></section>`;
}

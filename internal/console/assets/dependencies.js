// What the gateway depends on.

import { html } from './vendor/preact-htm.js';
import { bytes, count, day, left, plural } from './format.js';

const counted = { per_ip: ['address', 'addresses'], per_key: ['key'], identical: ['text of a bot', 'texts of bots'], consecutive: ['conversation of a bot', 'conversations of bots'] };

export function Dependencies({ upstream: u, stores }) {
  return html`<section aria-labelledby="dependencies"><h2 id="dependencies">Upstream and store</h2>
    ${u && html`<article class="part">
      <h3><span class=${u.state === 'up' ? 'ok' : 'warn'}>${u.state === 'up' ? 'Up' : 'Down'}</span> ${u.name}</h3>
      <dl class="facts">
        <div><dt>Known</dt><dd>${u.checked}</dd></div>
        ${u.servers.map((s) => html`<${Server} s=${s} alone=${u.servers.length === 1} key=${s.address + (s.dials ?? '')} />`)}
        ${u.retries + u.retries_refused > 0 && html`<div><dt>Retries</dt><dd>${count(u.retries)}${u.retries_refused > 0 && `, ${count(u.retries_refused)} not made: the budget was used up`}</dd></div>`}
        <${Failures} errors=${u.errors} last=${u.last_error} none="Every call was answered." />
      </dl></article>`}
    ${stores.map((s) => html`<article class="part" key=${s.name}>
      <h3><span class=${s.state === 'ok' ? 'ok' : 'warn'}>${s.state === 'ok' ? 'Fine' : 'Degraded'}</span> ${s.name === 'memory' ? 'Store in memory' : 'Shared store'}</h3>
      <dl class="facts">
        <div><dt>Holds</dt><dd>${s.explained}</dd></div>
        ${s.capacity_bytes > 0 && html`<div><dt>Memory</dt><dd>${bytes(s.bytes)} of ${bytes(s.capacity_bytes)}</dd></div>
        <div><dt>Counts</dt><dd>${Object.entries(counted).map(([rule, names]) => plural(s.entries[rule] ?? 0, ...names)).join(', ')}</dd></div>`}
        ${s.name !== 'memory' && html`<${Failures} errors=${s.errors} last=${s.last_error} none="Every call was answered." />`}
        ${s.evicted_live > 0 && html`<div><dt>Forgotten</dt><dd class="warn">${count(s.evicted_live)} while they still counted, for want of room</dd></div>`}
      </dl></article>`)}
  </section>`;
}

const circuits = { closed: 'in use', half_open: 'on trial', open: 'passed over' };

// Server is one server of the upstream.
function Server({ s, alone }) {
  const well = s.circuit === 'closed' && !s.unwell;
  return html`<div><dt>${alone ? 'Connections' : 'Server'}</dt><dd>${(!alone || !well) && html`<b class=${well ? '' : 'warn'}>${circuits[s.circuit] ?? s.circuit}</b> <code>${s.address}${s.dials && ` (${s.dials})`}</code>: `}
    ${s.unwell && 'fails its health check; '}${s.tries_again_in > 0 && `tried again in ${left(s.tries_again_in)}; `}${count(s.in_flight)} in flight, ${plural(s.connections, 'connection')}, ${count(s.idle_connections)} of them idle; ${plural(s.requests, 'request')}${s.last_failure && html` <span class="soft">last failure ${day(s.last_failure.at)}: ${s.last_failure.cause}</span>`}</dd></div>`;
}

// operations are what a shared store is called for.
const operations = { limit: 'to count requests', reserve: 'to count messages', settle: 'to confirm messages', reply: 'to note replies' };

function Failures({ errors, last, none }) {
  const list = Object.entries(errors);
  return html`${(list.length > 0 || !last) && html`<div><dt>Failed calls</dt><dd>${list.length === 0 ? none : list.map(([why, n]) => `${count(n)} ${operations[why] ?? why.replaceAll('_', ' ')}`).join(', ')}</dd></div>`}
    ${last && html`<div><dt>Last failure</dt><dd>${day(last.at)}: ${last.cause}</dd></div>`}`;
}

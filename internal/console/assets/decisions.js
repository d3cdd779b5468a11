// The last decisions, with a filter.

import { html, useState } from './vendor/preact-htm.js';
import { kinds, left, ruleName, span, time } from './format.js';

// found reports whether every word of the filter stands somewhere in a decision.
function found(d, words) {
  const text = [kinds[d.kind], d.rule, d.rule && ruleName(d.rule), d.code, d.method, d.route, d.status, d.source, d.ip, d.key, d.bot, d.conversation, d.request_id]
    .join(' ').toLowerCase();
  return words.every((w) => text.includes(w));
}

export function Decisions({ decisions, filter, setFilter }) {
  const [kind, setKind] = useState('');
  const [held, hold] = useState(null);
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const matching = (held ?? decisions).filter((d) => found(d, words));
  const shown = matching.filter((d) => !kind || d.kind === kind);
  const number = (k) => matching.filter((d) => !k || d.kind === k).length;
  return html`<section aria-labelledby="decisions"><h2 id="decisions">Last decisions</h2>
    <p class="lead">Every refusal and every error of late; of admitted requests up to 20 samples a second, while somebody looks.</p>
    <form class="filter" role="search" onSubmit=${(e) => e.preventDefault()}>
      <label class="unseen" for="filter">Filter the decisions</label>
      <input id="filter" type="search" placeholder="Filter: a digest, a rule, a route, a status…" value=${filter} onInput=${(e) => setFilter(e.target.value)} spellcheck=${false} autocomplete="off" />
      <fieldset><legend class="unseen">Kind of decision</legend>
        ${['', ...Object.keys(kinds)].map((k) => html`<label class="choice"><input type="radio" name="kind" checked=${kind === k} onChange=${() => setKind(k)} /><span>${kinds[k] ?? 'All'} <span class="soft">${number(k)}</span></span></label>`)}</fieldset>
      <button type="button" aria-pressed=${held !== null ? 'true' : 'false'} onClick=${() => hold(held ? null : decisions)}>${held ? 'Go on' : 'Hold'}</button>
    </form>
    ${shown.length === 0 ? html`<p class="soft">${decisions.length === 0 ? 'Nothing was decided yet.' : 'No decision matches.'}</p>` : html`
    <div class="scroll" tabindex="0" role="region" aria-label="Last decisions"><table role="table" class="decisions"><thead role="rowgroup"><tr role="row">
      ${['Time', 'Decision', 'Status', 'Request', 'Address', 'Key', 'Bot', 'Conversation', 'Took'].map((h) => html`<th role="columnheader" scope="col">${h}</th>`)}</tr></thead>
      <tbody role="rowgroup">${shown.map((d) => html`<${Row} d=${d} pick=${setFilter} key=${d.serial} />`)}</tbody></table></div>`}
  </section>`;
}

function Row({ d, pick }) {
  const digest = (label, of) => html`<td role="cell" data-label=${label} class=${of ? '' : 'empty'}>${of && html`<button type="button" tabindex="-1" class="digest" onClick=${() => pick(of)}>${of}</button>`}</td>`;
  return html`<tr role="row" class=${d.kind}>
    <td role="cell" class="time"><time datetime=${d.at} title=${`Request ${d.request_id}`}>${time(d.at, true)}</time></td>
    <td role="cell" class="what"><b>${kinds[d.kind]}</b>${(d.rule || d.code) && html` <span class="soft">${d.rule ? ruleName(d.rule) : d.code.replaceAll('_', ' ')}${d.retry_after_s > 0 && `; again in ${left(d.retry_after_s)}`}</span>`}</td>
    <td role="cell" class="status">${d.status}<span class="soft"> ${d.source === 'gateway' ? 'ours' : 'upstream'}</span></td>
    <td role="cell" class="request">${d.method} ${d.route}</td>
    ${digest('Address', d.ip)}${digest('Key', d.key)}${digest('Bot', d.bot)}${digest('Conversation', d.conversation)}
    <td role="cell" class="number took">${span(d.duration_ms)}</td>
  </tr>`;
}

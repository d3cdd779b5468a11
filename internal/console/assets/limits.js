// Who is blocked now, and how near the others are.

import { html, useRef, useState } from './vendor/preact-htm.js';
import { ask } from './stream.js';
import { Announcer } from './banner.js';
import { count, left, plural, rules, time, windowOf } from './format.js';

// Digest is a caller or a conversation. Picking it shows its decisions.
export function Digest({ of, pick, label }) {
  return html`<button type="button" class="digest" onClick=${() => pick(of)} aria-label=${`${label} ${of}: show its decisions`}>${of}</button>`;
}

export function Blocked({ blocked, pick }) {
  const heading = useRef(null);
  const [told, tell] = useState('');
  const [busy, setBusy] = useState('');
  const release = async (conversation) => {
    setBusy(conversation);
    try {
      await ask('/admin/v1/loopguard/reset', { conversation });
      tell(`Conversation ${conversation} is released: its bots begin anew.`);
    } catch (error) {
      tell(`Conversation ${conversation} was not released. ${error.message}`);
    }
    setBusy('');
    heading.current.focus();
  };
  return html`<section aria-labelledby="main"><h2 id="main" tabindex="-1" ref=${heading}>Blocked now</h2>
    <p class="lead">${blocked.length === 0 ? 'No bot is blocked in any conversation.'
      : `${sum(blocked)} Releasing a conversation forgets what every bot has sent to it, for both message rules.`}
      <span role="status" class="told">${told && ` ${told}`}</span></p>
    <${Announcer} text=${blocked.length === 0 ? 'Nothing is blocked any more.' : sum(blocked)} />
    ${blocked.length > 0 && html`<table role="table" class="blocked"><thead role="rowgroup"><tr role="row">
      ${['Rule', 'Bot', 'Conversation', 'Messages', 'Refused', 'Free in', ''].map((h) => html`<th role="columnheader" scope="col">${h || html`<span class="unseen">Action</span>`}</th>`)}
      </tr></thead><tbody role="rowgroup">${blocked.map((b) => html`<tr role="row" key=${b.rule + b.bot + b.conversation + b.content}>
        <td role="cell" data-label="Rule"><span>${rules[b.rule]?.title ?? b.rule}</span></td>
        <td role="cell" data-label="Bot"><${Digest} of=${b.bot} pick=${pick} label="Bot" /></td>
        <td role="cell" data-label="Conversation"><${Digest} of=${b.conversation} pick=${pick} label="Conversation" /></td>
        <td role="cell" data-label="Messages"><span>${b.used} of ${b.limit} in ${windowOf(spanMS(b.window))}</span></td>
        <td role="cell" data-label="Refused"><span>${count(b.refused)} <span class="soft">since ${time(b.since)}</span></span></td>
        <td role="cell" data-label="Free in" class="number"><span>${left(b.seconds_left)}</span></td>
        <td role="cell" class="act"><button type="button" class="release" disabled=${busy === b.conversation} onClick=${() => release(b.conversation)}
          aria-label=${`Release conversation ${b.conversation}`}>Release</button></td>
      </tr>`)}</tbody></table>`}
  </section>`;
}

// sum is how many are blocked, in a sentence.
function sum(blocked) {
  const bots = new Set(blocked.map((b) => b.bot)).size;
  const conversations = new Set(blocked.map((b) => b.conversation)).size;
  return `${plural(bots, 'bot')} ${bots === 1 ? 'is' : 'are'} blocked in ${plural(conversations, 'conversation')}.`;
}

// spanMS reads a duration as Go writes it, such as 3m0s.
function spanMS(text) {
  const units = { h: 3600000, m: 60000, s: 1000, ms: 1 };
  return [...text.matchAll(/([\d.]+)(ms|h|m|s)/g)].reduce((sum, [, n, unit]) => sum + n * units[unit], 0);
}

export function Limits({ limits, pick }) {
  return html`<section aria-labelledby="limits"><h2 id="limits">Limits, and who is nearest to them</h2>
    <div class="limits">${limits.map((l) => html`<${Limit} l=${l} pick=${pick} key=${l.rule} />`)}</div></section>`;
}

function Limit({ l, pick }) {
  const { title, what } = rules[l.rule];
  const mode = { enforce: 'enforced', shadow: 'in shadow: refuses nothing', off: 'off' }[l.mode];
  return html`<article class=${`limit ${l.mode}`} aria-label=${title}>
    <h3>${title}</h3>
    <p class="rule">${l.limit > 0 && html`<b>${count(l.limit)}</b> in ${windowOf(l.window_ms)}, `}${mode}${l.candidate > 0 && `; ${count(l.candidate)} tried beside it`}</p>
    <ol>${l.nearest.map((n) => html`<${Near} n=${n} pick=${pick} key=${(n.who ?? '') + (n.bot ?? '') + (n.conversation ?? '')} />`)}
      ${l.nearest.length === 0 && html`<li class="soft">${l.limit === 0 ? 'Nothing is counted.' : `No ${what} has used any of it.`}</li>`}</ol>
    <p class="totals">${count(l.refused)} refused${l.would_refuse > 0 && `, ${count(l.would_refuse)} would be`}, ${count(l.admitted)} admitted; ${count(l.keys)} of ${count(l.capacity)} places in use here${l.evicted_live > 0 && html`; <b class="warn">${count(l.evicted_live)} forgotten for want of room</b>`}</p>
  </article>`;
}

function Near({ n, pick }) {
  const share = Math.min(1, n.used / n.limit);
  return html`<li class=${share >= 1 ? 'full' : share >= 0.8 ? 'near' : ''}>
    <span class="who">${n.who && html`<${Digest} of=${n.who} pick=${pick} label="Caller" />`}
      ${n.bot && html`<${Digest} of=${n.bot} pick=${pick} label="Bot" /><span class="soft"> in </span><${Digest} of=${n.conversation} pick=${pick} label="Conversation" />`}</span>
    <span class="used">${n.used} of ${n.limit}</span>
    <span class="bar" aria-hidden="true"><span style=${{ width: `${100 * share}%` }}></span></span>
    <span class="free">${n.free_ms > 0 ? `free in ${left(n.free_ms / 1000)}` : ''}</span></li>`;
}

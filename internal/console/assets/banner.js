// The state in words.

import { html, useEffect, useRef, useState } from './vendor/preact-htm.js';
import { day, long, time } from './format.js';

const sentences = {
  ready: 'Requests are served, under the limits below.',
  degraded: 'Requests are served, with a fault.',
  'not ready': 'Traffic should go elsewhere: /readyz answers 503.',
  draining: 'The gateway is stopping: /readyz answers 503.',
};

export function Banner({ state, known, lock }) {
  const up = Math.max(0, Math.floor((Date.parse(known.at) - Date.parse(state.started)) / 1000));
  const said = [sentences[state.state], ...(state.why ?? [])].join(' ');
  return html`<header class=${`banner ${state.state.replace(' ', '-')}`}>
    <div class="state">
      <p class="name">gateway</p>
      <h1>${state.state[0].toUpperCase() + state.state.slice(1)}</h1>
      <p class="said">${said}</p>
    </div>
    <dl class="facts">
      <div><dt>Version</dt><dd>${state.version} <span class="soft">${state.commit}</span></dd></div>
      <div><dt>Running for</dt><dd>${long(up)}</dd></div>
      <${Configured} configuration=${state.configuration} />
      <div><dt>This page</dt><dd>${known.link === 'live' ? html`live, ${time(known.at)}` : html`<b class="warn">${known.busy ?? `not connected; as of ${time(known.at)}`}</b>`}
        ${lock && html` <button class="quietly" onClick=${lock}>Forget the token</button>`}</dd></div>
    </dl>
    <${Announcer} text=${known.link === 'live' ? `The gateway is ${state.state}. ${(state.why ?? []).join(' ')}` : 'The page has lost the gateway.'} />
  </header>`;
}

function Configured({ configuration: c }) {
  const failed = c.last_reload && !c.last_reload.successful;
  const restart = c.last_reload?.needs_restart ?? [];
  return html`<div><dt>Configuration</dt>
      <dd><code>${c.sha256}</code> <span class="soft" title=${c.file}>${c.file ? c.file.split('/').pop() : 'built in'}, since ${day(c.loaded_at)}</span></dd></div>
    ${c.last_reload && html`<div class=${failed ? 'wide' : ''}><dt>Last reload</dt><dd>${failed
      ? html`<b class="warn">refused</b> at ${day(c.last_reload.at)}; the last good one stays in force.${c.last_reload.mistakes.map((m) => html`<span class="mistake">${m}</span>`)}`
      : html`taken over at ${day(c.last_reload.at)}${restart.length > 0 && html`; <b class="warn">needs a restart:</b> ${restart.join(', ')}`}`}</dd></div>`}`;
}

// Announcer tells a screen reader what changed, and nothing that changes every
// second.
export function Announcer({ text }) {
  const first = useRef(true);
  const [said, say] = useState('');
  useEffect(() => {
    if (first.current) first.current = false;
    else say(text);
  }, [text]);
  return html`<p class="unseen" role="status" aria-live="polite">${said}</p>`;
}

export function Unlock({ refused, unlock }) {
  const [text, type] = useState('');
  const field = useRef(null);
  useEffect(() => field.current.focus(), []);
  const submit = (event) => { event.preventDefault(); unlock(text.trim()); };
  return html`<main class="quiet" id="main"><h1>gateway</h1>
    <form onSubmit=${submit}>
      <label for="token">Admin token</label>
      <input id="token" type="password" autocomplete="off" ref=${field} value=${text} onInput=${(e) => type(e.target.value)}
        aria-describedby="token-note" aria-invalid=${refused ? 'true' : 'false'} />
      <button>Open</button>
      ${refused && html`<p class="warn" role="alert">The gateway does not know this token.</p>`}
      <p id="token-note" class="soft">The content of the file that <code>admin.token_file</code> names. This tab keeps it until it is closed.</p>
    </form></main>`;
}

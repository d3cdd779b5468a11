// The page: what is where, and the stream that feeds it.

import { html, render, useEffect, useReducer, useState } from './vendor/preact-htm.js';
import { follow, token } from './stream.js';
import { hear, nothing } from './store.js';
import { Banner, Unlock } from './banner.js';
import { Traffic } from './traffic.js';
import { Blocked, Limits } from './limits.js';
import { Decisions } from './decisions.js';
import { Dependencies } from './dependencies.js';
import { Explain } from './explain.js';
import { Configuration } from './configuration.js';

function App() {
  const [known, tell] = useReducer(hear, nothing);
  const [filter, setFilter] = useState('');
  const [tries, again] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    follow(stop.signal, (kind, data) => tell([kind, data]));
    return () => stop.abort();
  }, [tries]);
  useEffect(() => { document.title = title(known); }, [known]);
  if (known.link === 'locked') {
    return html`<${Unlock} refused=${known.refused} unlock=${(text) => { token.set(text); again(tries + 1); }} />`;
  }
  const pick = (digest) => {
    setFilter(digest);
    document.getElementById('decisions').scrollIntoView({ block: 'start' });
    document.getElementById('filter').focus({ preventScroll: true });
  };
  const { state, limits = [], blocked = [], upstream, stores = [], config } = known.tables;
  if (!state) return html`<main class="quiet" id="main"><h1>gateway</h1><p>${known.busy ?? (known.link === 'lost' ? 'The gateway can’t be reached. Trying again…' : 'Connecting…')}</p></main>`;
  return html`
    <a class="skip" href="#main">Skip to what is blocked now</a>
    <${Banner} state=${state} known=${known} lock=${token.get() && (() => { token.set(''); again(tries + 1); })} />
    <main>
      <${Traffic} points=${known.points} />
      <${Blocked} blocked=${blocked} pick=${pick} />
      <${Limits} limits=${limits} pick=${pick} />
      <${Decisions} decisions=${known.decisions} filter=${filter} setFilter=${setFilter} />
      <div class="pair">
        <${Dependencies} upstream=${upstream} stores=${stores} />
        <${Explain} />
      </div>
      <${Configuration} configuration=${state.configuration} config=${config} />
    </main>
    <footer><p>The same as JSON: ${token.get() ? html`<code>/admin/v1/overview</code>` : html`<a href="/admin/v1/overview?points=1">/admin/v1/overview</a>`}, for Prometheus: <a href="/metrics">/metrics</a>, in a terminal: <code>gateway top</code>. Keys, addresses, bots and conversations are digests, as in the access log.</p></footer>`;
}

function title({ link, tables }) {
  const word = link === 'live' ? tables.state?.state ?? '' : 'not connected';
  const blocked = tables.blocked?.length ? `, ${tables.blocked.length} blocked` : '';
  return word ? `gateway: ${word}${blocked}` : 'gateway';
}

render(html`<${App} />`, document.getElementById('app'));

// Would this request pass?

import { html, useState } from './vendor/preact-htm.js';
import { ask } from './stream.js';
import { ruleName, time } from './format.js';

const blank = { ip: '', key: '', user: '', role: '', conversation: '', message: '' };

export function Explain() {
  const [q, set] = useState(blank);
  const [answer, setAnswer] = useState(null);
  const [fault, setFault] = useState('');
  const change = (name) => (e) => set({ ...q, [name]: e.target.value });
  const submit = async (event) => {
    event.preventDefault();
    setFault('');
    try {
      const question = Object.fromEntries(Object.entries(q).filter(([, v]) => v.trim() !== '').map(([k, v]) => [k, v.trim()]));
      if (question.message) question.message = readJSON(question.message);
      setAnswer(await ask('/admin/v1/explain', question));
    } catch (error) {
      setAnswer(null);
      setFault(error.message);
    }
  };
  const field = (name, label, more) => html`<label><span>${label}</span><input name=${name} value=${q[name]} onInput=${change(name)} autocomplete="off" spellcheck=${false} ...${more} /></label>`;
  return html`<section aria-labelledby="explain"><h2 id="explain">Would this request pass?</h2>
    <p class="lead">Asking counts nothing. Leave out what you don’t know; a digest does for an address, a key or a conversation that was refused of late.</p>
    <form class="ask" onSubmit=${submit}>
      ${field('ip', 'Address', { placeholder: '203.0.113.1' })}
      ${field('key', 'API key', { type: 'password' })}
      ${field('user', 'User id')}
      <label><span>Role</span><select name="role" value=${q.role} onChange=${change('role')}><option value="">as the key says</option><option value="bot">bot</option><option value="human">human</option></select></label>
      ${field('conversation', 'Conversation')}
      <label class="wide"><span>Message</span><textarea name="message" rows="2" value=${q.message} onInput=${change('message')} placeholder=${'{"text":"Hello"}'} spellcheck=${false}></textarea></label>
      <div class="buttons"><button>Ask</button> <button type="reset" class="quietly" onClick=${() => { set(blank); setAnswer(null); setFault(''); }}>Clear</button></div>
    </form>
    <div role="status">${fault && html`<p class="warn">${fault}</p>`}${answer && html`<${Answer} a=${answer} />`}</div>
  </section>`;
}

function readJSON(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('The message is no JSON. It looks like {"text":"Hello"}.');
  }
}

function Answer({ a }) {
  return html`<p class="verdict">${a.refused_by
    ? html`<b>It would be refused</b> by ${ruleName(a.refused_by)}, and admitted in ${a.passes_in}.` : html`<b>It would be admitted.</b>`}</p>
    ${a.counters.length > 0 && html`<table class="counters"><thead><tr><th scope="col">Rule</th><th scope="col">Counted by</th><th scope="col">Used</th><th scope="col">Room</th></tr></thead>
      <tbody>${a.counters.map((c) => html`<tr key=${c.rule}><td>${ruleName(c.rule)}${c.mode !== 'enforce' && html` <span class="soft">${c.mode}</span>`}</td><td><code>${c.who}</code></td>
        <td>${c.used} of ${c.limit} in ${c.window}</td><td>${c.passes_in ? `in ${c.passes_in}` : 'now'}${c.entries.length > 0 && html` <span class="soft">oldest ${time(c.entries[0], true)}</span>`}</td></tr>`)}</tbody></table>`}
    ${(a.notes ?? []).map((n) => html`<p class="soft note">${n[0].toUpperCase() + n.slice(1)}.</p>`)}`;
}

// The configuration in force.

import { html } from './vendor/preact-htm.js';

export function Configuration({ configuration, config }) {
  const warnings = configuration.warnings ?? [];
  return html`<section aria-labelledby="configuration"><h2 id="configuration">Configuration in force</h2>
    <p class="lead">${configuration.file ? html`From <code>${configuration.file}</code>; <code>sha256sum</code> of it begins with <code>${configuration.sha256}</code>.` : 'Built in: no file was given.'}</p>
    ${warnings.map((w) => html`<p class="warn">${w}</p>`)}
    <details><summary>Every key, defaults filled in, without secrets; a comment says where a value was set</summary>
      <pre tabindex="0" role="region" aria-label="Configuration in force">${config?.yaml}</pre></details></section>`;
}

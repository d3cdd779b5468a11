// The oracle of the differential test: it reads bodies as a Node.js upstream
// does and says what they hold. One base64 body per line in, one line out:
// "error", or for every message "sha256-of-content:is-contact:conversation".
'use strict';
const { createHash } = require('crypto');

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const sha = (text) => createHash('sha256').update(text).digest('hex');

function canonical(v) {
  if (v === null) return 'null';
  if (typeof v === 'number') return 'number ' + (Object.is(v, -0) ? 0 : v);
  if (typeof v === 'string') return JSON.stringify(v); // escapes lone surrogates, so it is injective
  if (Array.isArray(v)) return '[' + v.map(canonical).join() + ']';
  if (typeof v === 'object') {
    return '{' + Object.keys(v).sort().map((k) => JSON.stringify(k) + ':' + canonical(v[k])).join() + '}';
  }
  return String(v);
}

const children = (v) => (v !== null && typeof v === 'object' ? Object.values(v) : []);
const isContainer = (v) => v !== null && typeof v === 'object';
const isObject = (v) => isContainer(v) && !Array.isArray(v);
const depth = (v) => (isContainer(v) ? 1 + Math.max(0, ...children(v).map(depth)) : 0);
const count = (v) => (isObject(v) ? Object.keys(v).length : 0) + children(v).map(count).reduce((a, b) => a + b, 0);

// JSON.parse keeps the last of two equal keys, so a text with duplicates has
// more colons outside of strings than the value has members.
const colons = (text) => text.replace(/"(?:[^"\\]|\\.)*"/gs, '').split(':').length - 1;

function message(m) {
  if (!isObject(m)) throw new Error('no object');
  const { conversation = null } = Object.hasOwn(m, 'conversation') ? m : {};
  if (conversation !== null && typeof conversation !== 'string') throw new Error('conversation');
  const place = /^[0-9a-f]{24}$/i.test(conversation ?? '') ? conversation.toLowerCase() : conversation ?? '';
  const content = Object.create(null);
  for (const k of Object.keys(m)) if (k !== 'conversation' && k !== 'delay') content[k] = m[k];
  const contact = Object.hasOwn(m, 'role') && m.role === 'contact';
  return [sha(canonical(content)), contact, sha(JSON.stringify(place))].join(':');
}

function answer(line) {
  let text = decoder.decode(Buffer.from(line, 'base64'));
  if (text.startsWith('\uFEFF')) text = text.slice(1);
  const v = JSON.parse(text);
  if (colons(text) !== count(v)) throw new Error('duplicate');
  if (depth(v) > 32) throw new Error('deep');
  return ['ok', ...(Array.isArray(v) ? v : [v]).map(message)].join(' ');
}

require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  let out = 'error';
  try {
    out = answer(line);
  } catch (e) {
    if (e instanceof RangeError) out = 'error'; // nested too deep for the oracle itself
  }
  process.stdout.write(out + '\n');
});

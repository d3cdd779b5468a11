// Numbers, times and words, each in one way.

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

export const count = (n) => whole.format(n);

// rate has one decimal while that says something.
export const rate = (n) => (n === 0 || n >= 99.95 ? whole : fine).format(n);

// span is a time of milliseconds, with two or three digits that count.
export function span(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms < 0.9995) return `${whole.format(ms * 1000)} µs`;
  if (ms < 99.95) return `${fine.format(ms)} ms`;
  if (ms < 999.5) return `${whole.format(ms)} ms`;
  return `${fine.format(ms / 1000)} s`;
}

// left is a wait as people say it, rounded up.
export function left(seconds) {
  if (seconds < 10) return `${fine.format(Math.ceil(seconds * 10) / 10)} s`;
  return long(Math.ceil(seconds));
}

// long is a whole number of seconds in its two largest units.
export function long(seconds) {
  const units = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  let at = units.findIndex(([size]) => seconds >= size);
  if (at < 0) at = units.length - 1;
  const words = [];
  for (const [size, name] of units.slice(at, at + 2)) {
    const n = Math.floor(seconds / size);
    seconds -= n * size;
    if (n > 0 || words.length === 0) words.push(`${n} ${name}`);
  }
  return words.join(' ');
}

// windowOf is the window of a limit.
export const windowOf = (ms) => (ms % 1000 === 0 ? long(ms / 1000) : `${whole.format(ms)} ms`);

export function bytes(n) {
  for (const [size, name] of [[2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [2 ** 10, 'KiB']]) {
    if (n >= size) return `${n >= 10 * size || n % size === 0 ? whole.format(n / size) : fine.format(n / size)} ${name}`;
  }
  return `${whole.format(n)} bytes`;
}

// time is of the day, as the browser's clock has it; fraction adds milliseconds.
export function time(text, fraction) {
  const at = new Date(text);
  return clock.format(at) + (fraction ? `.${String(at.getMilliseconds()).padStart(3, '0')}` : '');
}

// day adds the date where it is not today's.
export function day(text) {
  const at = new Date(text);
  const date = at.toDateString() === new Date().toDateString() ? '' : `${at.toISOString().slice(0, 10)} `;
  return date + clock.format(at);
}

export const rules = {
  per_ip: { title: 'Requests per address', what: 'address' },
  per_key: { title: 'Requests per API key', what: 'key' },
  identical: { title: 'Identical messages', what: 'bot in a conversation, and text' },
  consecutive: { title: 'Messages without a reply', what: 'bot in a conversation' },
};

// ruleName is a rule, or its candidate, in words.
export function ruleName(rule) {
  const live = rule.replace(/_shadow$/, '');
  const name = { per_ip: 'per address', per_key: 'per API key', identical: 'identical messages', consecutive: 'no reply' }[live] ?? rule;
  return live === rule ? name : `${name}, candidate`;
}

export const kinds = { refused: 'Refused', would_refuse: 'Would refuse', error: 'Error', admitted: 'Admitted' };

export const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many ?? `${one}s`}`;

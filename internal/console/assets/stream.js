// The one stream that the page lives on. It is read by fetch, because EventSource
// can send no token.

// silence is how long a stream that brings something every second may bring nothing,
// ms: then the gateway hangs, or what lies between.
const silence = 4000;

const place = 'gateway-admin-token';

export const token = {
  get: () => sessionStorage.getItem(place) ?? '',
  set: (text) => (text ? sessionStorage.setItem(place, text) : sessionStorage.removeItem(place)),
};

function headers(more) {
  const held = token.get();
  return held ? { ...more, Authorization: `Bearer ${held}` } : { ...more };
}

// ask sends JSON and returns the answer, or throws a sentence.
export async function ask(path, question) {
  let answer;
  try {
    answer = await fetch(path, {
      method: 'POST', headers: headers({ 'Content-Type': 'application/json' }), body: JSON.stringify(question), cache: 'no-store',
    });
  } catch {
    throw new Error('The gateway can’t be reached.');
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.message ?? `The gateway answered ${answer.status}.`);
  return told;
}

// follow reads the stream until the signal aborts, and comes back when it breaks.
// It tells on(kind, data): overview and frame with what they hold, and live, lost,
// busy or locked.
export async function follow(signal, on) {
  if (!token.get() && await needsToken(signal)) {
    on('locked', false);
    return;
  }
  for (let wait = 500; !signal.aborted; wait = Math.min(2 * wait, 8000)) {
    try {
      const answer = await fetch('/admin/v1/stream', { headers: headers({ Accept: 'text/event-stream' }), signal, cache: 'no-store' });
      if (answer.status === 401) {
        on('locked', token.get() !== '');
        return;
      }
      if (answer.ok) {
        on('live');
        wait = 500;
        await read(answer.body, on);
      } else {
        on('busy', (await answer.json().catch(() => ({}))).message);
      }
    } catch {
      // told below: the stream broke, or could not be opened
    }
    if (signal.aborted) return;
    on('lost');
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, wait);
      signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
    });
  }
}

// needsToken asks, so that nothing has to be refused to find out.
async function needsToken(signal) {
  const answer = await fetch('/', { method: 'HEAD', signal, cache: 'no-store' }).catch(() => null);
  return answer?.headers.get('X-Admin-Token') === 'required';
}

// read takes events off a stream. One event is a name and one line of data.
async function read(body, on) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const timer = setTimeout(() => reader.cancel(), silence);
    const { value, done } = await reader.read();
    clearTimeout(timer);
    if (done) return;
    rest += value;
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
      const lines = rest.slice(0, end).split('\n');
      rest = rest.slice(end + 2);
      const field = (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const data = field('data');
      if (data) on(field('event'), JSON.parse(data));
    }
  }
}

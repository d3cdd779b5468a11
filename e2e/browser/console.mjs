// Drives the console in a real Chromium. It reads what to do from stdin, prints a
// line of JSON for each check ({name, fault}), and writes screenshots.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { Traffic } from './traffic.mjs';

const scene = JSON.parse(readFileSync(0, 'utf8'));
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const traffic = new Traffic(scene);

const browser = await chromium.launch({ executablePath: scene.chromium, args: ['--no-sandbox'] });
const page = await browser.newPage({ viewport: { width: 1440, height: 1000 } });
page.setDefaultTimeout(5000);

// What must never happen, whatever is done below.
const faults = [];
page.on('console', (m) => { if (['error', 'warning'].includes(m.type())) faults.push(`console: ${m.text()}`); });
page.on('pageerror', (error) => faults.push(`exception: ${error.message}`));
page.on('request', (r) => { if (!r.url().startsWith(scene.origin) && !r.url().startsWith('data:')) faults.push(`asked elsewhere: ${r.url()}`); });
await page.addInitScript(() => document.addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI}`)));

async function check(name, play) {
  let fault = '';
  const start = performance.now();
  try {
    await play();
  } catch (error) {
    fault = String(error.message ?? error).split('\n').slice(0, 8).join('\n');
    await page.screenshot({ path: `${scene.out}/fault-${name.replace(/\W+/g, '-')}.png`, fullPage: true }).catch(() => {});
  }
  console.log(JSON.stringify({ name, fault, ms: Math.round(performance.now() - start) }));
}

function want(what, is) {
  if (!is) throw new Error(`want ${what}`);
}

// soon waits for what the next frame or two bring.
async function soon(what, is) {
  for (const end = performance.now() + 3000; !(await is()); await sleep(50)) want(what, performance.now() < end);
}

const blocks = page.locator('table.blocked tbody tr');
const section = (name) => page.getByRole('region', { name, exact: true });

// tabTo presses Tab until the element has the focus.
async function tabTo(selector, most = 60) {
  for (let i = 0; i < most; i++) {
    await page.keyboard.press('Tab');
    if (await page.evaluate((s) => document.activeElement?.matches(s), selector)) return;
  }
  throw new Error(`want ${selector} within ${most} presses of Tab`);
}

await check('a wrong token is refused, the right one opens the page', async () => {
  await page.goto(scene.origin);
  await page.getByLabel('Admin token').waitFor();
  want('the field to have the focus', await page.evaluate(() => document.activeElement.id === 'token'));
  await page.keyboard.type('wrong');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').waitFor();
  want(`one 401 and nothing else, got ${faults}`, faults.length === 1 && faults[0].includes('401'));
  faults.length = 0;
  await accessible('while the token is asked for');
  await page.getByLabel('Admin token').fill(scene.token);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Ready', level: 1 }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'Ready', level: 1 }).waitFor();
});

await check('a loop is shown as blocked within 2 s', async () => {
  want('nobody blocked at first', await blocks.count() === 0);
  await traffic.play(2);
  const shown = blocks.first().waitFor().then(() => performance.now());
  const refused = await traffic.loop(12);
  const took = await shown - refused;
  want(`the block within 2 s of the first refusal, it took ${took} ms`, took < 2000);
  const text = await blocks.first().innerText();
  want(`the rule, the count and the time left, got ${text}`, /Identical messages/.test(text) && /8 of 8 in 3 min/.test(text) && /(3 min|2 min \d+ s)/.test(text));
});

await check('the limits name the nearest, and the decisions the refusals', async () => {
  const limit = page.getByRole('article', { name: 'Identical messages' });
  await limit.getByText('8 of 8').waitFor();
  const bot = await blocks.first().locator('.digest').first().innerText();
  await blocks.first().locator('.digest').first().click();
  const rows = page.locator('table.decisions tbody tr');
  await rows.first().waitFor();
  want('the filter to be the digest', await page.getByRole('searchbox').inputValue() === bot);
  await page.getByText('Refused', { exact: false }).locator('visible=true').first().waitFor();
  await page.getByRole('radio', { name: /^Refused/ }).check({ force: true });
  await soon('the four refusals of this bot and nothing else', async () => {
    const texts = await rows.allInnerTexts();
    return texts.length === 4 && texts.every((t) => t.includes('Refused') && t.includes(bot));
  });
  await page.getByRole('radio', { name: /^All/ }).check({ force: true });
  await page.getByRole('searchbox').fill('');
});

await check('a request can be asked about', async () => {
  const form = section('Would this request pass?');
  await form.getByLabel('API key').fill(scene.bot);
  await form.getByLabel('Conversation').fill(scene.conversation);
  await form.getByLabel('Message').fill(JSON.stringify({ text: traffic.loopText }));
  await form.getByRole('button', { name: 'Ask' }).click();
  await form.getByText('It would be refused by identical messages').waitFor();
  await form.getByLabel('Message').fill('{');
  await form.getByRole('button', { name: 'Ask' }).click();
  await form.getByText('The message is no JSON').waitFor();
  await form.getByRole('button', { name: 'Clear' }).click();
});

await check('the configuration is shown without its secrets', async () => {
  await page.getByText('Every key, defaults filled in').click();
  const text = await section('Configuration in force').locator('pre').innerText();
  want('the upstream and no secret', text.includes('upstream:') && text.includes('[redacted]') && !text.includes(scene.canary));
  await page.getByText('Every key, defaults filled in').click();
});

// accessible wants nothing serious from axe-core, as the page is now.
async function accessible(where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const bad = violations.filter((v) => ['serious', 'critical'].includes(v.impact));
  want(`nothing serious of axe ${where}, got ${bad.map((v) => `${v.id} at ${v.nodes.map((n) => n.target).slice(0, 3).join('; ')}`).join(' | ')}`, bad.length === 0);
}

async function look(scheme) {
  await page.emulateMedia({ colorScheme: scheme });
  for (const width of [360, 768, 1440]) {
    await page.setViewportSize({ width, height: 1000 });
    await sleep(250); // charts follow the width
    want(`no scrolling sideways at ${width}`, await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
    await accessible(`at ${width}`);
    await page.screenshot({ path: `${scene.out}/console-${scheme}-${width}.png`, fullPage: true });
  }
}

await check('axe finds nothing serious in the light theme, at three widths', () => look('light'));
await check('axe finds nothing serious in the dark theme, at three widths', () => look('dark'));

if (scene.picture) {
  await check('the picture for README.md', async () => {
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize({ width: 1280, height: 1020 });
    await traffic.play(scene.pictureSeconds, true);
    await page.evaluate(() => window.scrollTo(0, 0));
    await page.screenshot({ path: scene.picture });
  });
}

await check('the keyboard alone releases the conversation', async () => {
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1440, height: 1000 });
  want('a refused message', await traffic.say(traffic.loopText) === 429);
  await page.evaluate(() => { document.activeElement.blur(); window.scrollTo(0, 0); });
  await tabTo('button.release');
  await page.keyboard.press('Enter');
  await page.getByText('is released: its bots begin anew').waitFor();
  await blocks.first().waitFor({ state: 'detached', timeout: 2000 });
  want('the focus on the heading', await page.evaluate(() => document.activeElement.id === 'main'));
  want('a created message', await traffic.say(traffic.loopText) === 201);
});

await check('no console error, no breach of the policy, nothing asked elsewhere', async () => {
  want(`none, got ${faults.join(' | ')}`, faults.length === 0);
});

await check('a gateway that hangs is missed, and found again', async () => {
  process.kill(scene.pid, 'SIGSTOP');
  try {
    await page.getByText('not connected; as of').waitFor({ timeout: 8000 });
  } finally {
    process.kill(scene.pid, 'SIGCONT');
  }
  await page.getByText('live, ').waitFor({ timeout: 8000 });
});

await check('a gateway that drains says so, and one that is gone is missed', async () => {
  process.kill(scene.pid, 'SIGTERM');
  await page.getByRole('heading', { name: 'Draining', level: 1 }).waitFor();
  await page.getByText('not connected; as of').waitFor();
  want('the title to say so', (await page.title()).includes('not connected'));
});

traffic.stop();
await browser.close();

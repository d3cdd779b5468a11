// What goes through the gateway while the console is looked at.

import { setTimeout as sleep } from 'node:timers/promises';

const paths = ['/v2/users', '/v2/conversations', '/v2/contacts', '/v2/services', '/v2/conversations'];

export class Traffic {
  constructor(scene) {
    this.scene = scene;
    this.loopText = 'Sorry, I did not get that. Could you say it again?';
    this.ended = false;
  }

  async send(token, client, path, message) {
    const answer = await fetch(this.scene.gateway + path, {
      method: message ? 'POST' : 'GET', body: message && JSON.stringify(message),
      headers: { Authorization: `Bearer ${token}`, 'X-Forwarded-For': client, ...(message && { 'Content-Type': 'application/json' }) },
    });
    await answer.arrayBuffer();
    return answer.status;
  }

  // say sends one message of the bot.
  say(text) {
    return this.send(this.scene.bot, '198.51.100.20', '/v2/messages', { conversation: this.scene.conversation, text });
  }

  // loop is a bot that answers itself. It returns when it was first refused.
  async loop(times) {
    let last, refused;
    for (let i = 0; i < times; i++) {
      last = await this.say(this.loopText);
      if (last === 429) refused ??= performance.now();
      await sleep(60);
    }
    if (last !== 429) throw new Error(`the loop is answered ${last}`);
    return refused;
  }

  // play sends what agents and bots send in so many seconds; with a loop now and
  // then when it is for a picture.
  async play(seconds, picture) {
    const end = Date.now() + 1000 * seconds;
    for (let i = 0; Date.now() < end && !this.ended; i++) {
      const wave = 2 + Math.sin(i / 40) + Math.sin(i / 7) / 2;
      const calls = Array.from({ length: Math.round(wave) }, (_, n) =>
        this.send(n % 2 ? this.scene.agent : this.scene.admin, `203.0.113.${1 + ((i * 7 + n * 3) % 9)}`, paths[(i + n) % paths.length]));
      if (picture && i % 90 === 60) for (let n = 0; n < 14; n++) calls.push(this.send(this.scene.agent, '203.0.113.77', paths[n % paths.length]));
      if (picture && i % 60 === 30) calls.push(this.say(this.loopText));
      if (picture && i % 25 === 5) calls.push(this.send(this.scene.bot2, '198.51.100.21', '/v2/messages', { conversation: this.scene.conversation, text: `Your order is ${i} minutes away` }));
      await Promise.all(calls);
      await sleep(110);
    }
  }

  stop() { this.ended = true; }
}

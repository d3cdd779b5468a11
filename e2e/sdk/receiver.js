// A bot as the documentation of ChatShipper's official SDK shows it: it receives
// webhooks with the SDK's own server and answers in its handlers. It reads
//
//   {"host", "token", "secret", "port", "server": "start" | "http"}
//
// prints {"event": "ready"}, then each message that a handler gets and each error,
// and runs until it is killed.
//
// "echo …" is said back; "colour" asks a question with a callback, "name" with a
// promise.

'use strict';

const http = require('http');
const ChipChat = require('chipchat');
const { read, print, fail } = require('./lines');

function handlers(bot) {
    bot.on('error', (error) => print({ event: 'error', text: error.message || String(error) }));
    bot.on('ready', () => print({ event: 'ready' }));
    bot.on('message', (message, c) => {
        print({ event: 'message', text: message.text, conversation: c.id });
    });
    bot.on('message.create.contact.chat', (message) => print({ event: 'contact.chat', text: message.text }));
    bot.onText(/^echo (.*)/, (message, c) => c.say({ text: `You said: ${message.text.slice(5)}`, role: 'agent' }));
    bot.onText('colour', (_, c) => c.ask('Which colour?', async (answer, context) => {
        await context.set('colour', answer.text);
        await context.say(`Noted: ${answer.text}`);
    }));
    bot.onText('name', (_, c) => {
        // Not awaited: the delivery of the question would wait for that of the answer.
        c.ask({ text: 'What is your name?' }).then((answer) => c.say(`Hello ${answer.text}`));
    });
}

async function main() {
    const { port, server, ...options } = await read();
    const bot = new ChipChat({ ...options, preloadBots: false });
    handlers(bot);
    if (server === 'start') {
        bot.start(port);
    } else {
        http.createServer(bot.httpMiddleware()).listen(port, '127.0.0.1', () => bot.emit('ready', {}));
    }
}

main().catch(fail);

// Drives ChatShipper's official SDK as a bot's author would. It reads one JSON
// document from its standard input,
//
//   {"host", "token", "refreshToken", "email", "pagination", "calls": [{"name", "args", "times"}]}
//
// makes the calls one after the other ("messages.create" is bot.messages.create)
// and prints one JSON line for each: what it resolved to, or what its author
// would see of the error.

'use strict';

const ChipChat = require('chipchat');

function seen(error) {
    return {
        ok: false,
        message: error.message,
        statusCode: error.statusCode || (error.response || {}).statusCode,
        body: (error.response || {}).body
    };
}

async function make(bot, { name, args = [] }) {
    const path = name.split('.');
    const method = path.pop();
    const owner = path.reduce((object, key) => object[key], bot);
    try {
        const result = await owner[method](...args);
        return { ok: true, result, headers: (result || {}).headers };
    } catch (error) {
        return seen(error);
    }
}

async function main() {
    let input = '';
    for await (const chunk of process.stdin) input += chunk;
    const { calls, ...options } = JSON.parse(input);
    const bot = new ChipChat({ ...options, preloadBots: false });
    bot.on('error', () => {}); // the SDK tells errors twice; the promise is enough
    for (const call of calls) {
        for (let i = 0; i < (call.times || 1); i += 1) {
            const outcome = await make(bot, call);
            process.stdout.write(`${JSON.stringify({ call: call.name, token: bot.auth.token, ...outcome })}\n`);
        }
    }
}

main().then(() => process.exit(0), (error) => {
    console.error(error);
    process.exit(1);
});

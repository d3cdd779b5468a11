// Writes many messages with ChatShipper's official SDK and lists them in each of
// the ways that it has. It reads
//
//   {"host", "token", "conversation", "arrays": [[message]], "limit"}
//
// and prints {"way", "texts", "totalCount"} for each way.

'use strict';

const ChipChat = require('chipchat');
const { read, print, fail } = require('./lines');

async function main() {
    const { host, token, conversation, arrays, limit } = await read();
    const make = (pagination) => {
        const bot = new ChipChat({ host, token, pagination, preloadBots: false });
        bot.on('error', () => {});
        return bot;
    };
    const texts = (list) => list.map((message) => message.text);
    const plain = make();
    for (const array of arrays) await plain.send(conversation, array);

    const one = await plain.messages.list({ conversation, limit });
    print({ way: 'one page', texts: texts(one), totalCount: one.headers.totalCount });

    print({ way: 'all', texts: texts(await make({ limit, backoff: 1 }).messages.list({ conversation })) });

    const each = [];
    for await (const message of make({ limit, backoff: 1, iterate: true }).messages.list({ conversation })) each.push(message);
    print({ way: 'iterate', texts: texts(each) });
}

main().then(() => process.exit(0), fail);

// Does in one conversation what the documentation of ChatShipper's official SDK
// shows: say, set and the commands. It reads
//
//   {"host", "token", "conversation", "colleague"}
//
// and prints {"step", "result", "meta", "status", "participants"} after each
// step: what its author gets, and what has become of the conversation.

'use strict';

const ChipChat = require('chipchat');
const { read, print, fail } = require('./lines');

// called turns a function with a callback into a promise.
const called = (make) => new Promise((resolve, reject) => {
    make((error, result) => (error ? reject(error) : resolve(result)));
});

const stepsOf = ({ bot, id, c, colleague }) => ({
    'say': () => c.say('one'),
    'say array': () => c.say([{ text: 'two' }, { text: 'three' }]),
    'say array with options': () => c.say([{ text: 'four' }, { text: 'five' }], { isBackchannel: true }),
    'say with callback': () => called((done) => c.say('six', done)),
    'say array with callback': () => called((done) => c.say([{ text: 'seven' }, { text: 'eight' }], done)),
    'sendMessage': () => bot.sendMessage(id, 'nine'),
    'set': () => c.set('intent', 'order a pizza'),
    'set another': () => c.set('mybot.status', 'open'),
    'unset': () => c.set('mybot.status'),
    'join': () => c.join(),
    'accept': () => c.accept(),
    'assign': () => c.assign([colleague]),
    'leave': () => c.leave(),
    'notify': () => c.notify()
});

async function main() {
    const { conversation: id, colleague, ...options } = await read();
    const bot = new ChipChat({ ...options, preloadBots: false });
    bot.on('error', () => {});
    await called((done) => bot.conversation(id, done));
    const c = await bot.conversation(id);
    for (const [step, act] of Object.entries(stepsOf({ bot, id, c, colleague }))) {
        const result = await act();
        const { meta, status, participants } = await bot.conversations.get(id);
        print({ step, result, meta, status, participants, remembered: c.get('intent') });
    }
    await called((done) => bot.send('ffffffffffffffffffffffff', 'nobody is here', done))
        .catch((error) => print({ step: 'send to nobody', result: error.message }));
}

main().then(() => process.exit(0), fail);

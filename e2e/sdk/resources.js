// Calls every method of every resource that ChatShipper's official SDK has, as
// the SDK itself lists them, and prints one JSON line for each call. It reads
//
//   {"host", "token", "callbacks": bool, "drafts": {resource: body}}
//
// from its standard input. With callbacks it hands the SDK a callback instead of
// waiting for the promise. A method that this script does not know is printed as
// such, so that a newer SDK can't bring one that nobody tries.

'use strict';

const ChipChat = require('chipchat');
const { read, print, fail } = require('./lines');

// resourcesOf are the properties of a bot that have CRUD methods.
function resourcesOf(bot) {
    const isResource = (value) => value && typeof value === 'object'
        && typeof value.list === 'function' && typeof value.create === 'function';
    return Object.keys(bot).filter((name) => isResource(bot[name]));
}

// calling makes a call either way and resolves to what its author gets.
function calling(callbacks) {
    return (resource, method, ...args) => {
        if (!callbacks) return resource[method](...args);
        return new Promise((resolve, reject) => {
            const late = setTimeout(() => reject(new Error('the callback was not called')), 10000);
            resource[method](...args, (error, result) => {
                clearTimeout(late);
                if (error) reject(error); else resolve(result);
            });
        });
    };
}

// steps are the calls of each method, in an order in which every one has
// something to work on.
function steps(id) {
    return {
        get: [[id, { select: 'id' }], [id]],
        list: [[{ id }]],
        update: [[id, { name: 'changed' }]],
        replace: [[id, { name: 'changed' }]],
        delete: [[id]]
    };
}

async function tour(name, resource, call, draft) {
    let id = '';
    const attempt = async (method, ...args) => {
        try {
            const result = await call(resource, method, ...args);
            print({ resource: name, method, ok: true, id, result, headers: (result || {}).headers });
            return result;
        } catch (error) {
            print({ resource: name, method, ok: false, id, message: error.message });
            return {};
        }
    };
    id = (await attempt('create', draft)).id;
    const known = steps(id);
    for (const method of Object.keys(known).filter((m) => resource[m])) {
        for (const args of known[method]) await attempt(method, ...args);
    }
    for (const method of Object.keys(resource).filter((m) => m !== 'create' && !known[m])) {
        print({ resource: name, method, ok: false, message: 'nobody has tried this method yet' });
    }
}

async function main() {
    const { callbacks, drafts, ...options } = await read();
    const bot = new ChipChat({ ...options, preloadBots: false });
    bot.on('error', () => {});
    for (const name of resourcesOf(bot)) {
        await tour(name, bot[name], calling(callbacks), drafts[name] || { name: `a ${name}` });
    }
}

main().then(() => process.exit(0), fail);

// What the scripts share: one JSON document comes in on standard input, JSON
// lines go out on standard output. The SDK prints there too, so its words are
// sent to standard error.

'use strict';

console.log = console.error;

module.exports.print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

module.exports.read = async () => {
    let input = '';
    for await (const chunk of process.stdin) input += chunk;
    return JSON.parse(input);
};

// fail ends a script whose main function was rejected.
module.exports.fail = (error) => {
    console.error(error);
    process.exit(1);
};

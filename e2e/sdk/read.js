'use strict';

// Reads the answers to a list of questions with node's http, on one connection,
// and with fetch. Prints what arrived; a complaint of the parser ends it with 1.

const http = require('http');

let connections = 0;
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const create = agent.createConnection;
agent.createConnection = (...args) => {
  connections++;
  return create.apply(agent, args);
};

const headers = (m) => (m.ETag ? { 'If-None-Match': m.ETag } : {});

const plain = (origin, m) => new Promise((resolve, reject) => {
  const options = { method: m.Method, agent, headers: headers(m), timeout: 15000 };
  const request = http.request(origin + m.Path, options, (response) => {
    let length = 0;
    response.on('data', (chunk) => { length += chunk.length; });
    response.on('error', reject);
    response.on('end', () => {
      if (!response.complete) reject(new Error(`${m.Method} ${m.Path}: the answer is incomplete`));
      resolve([response.statusCode, length]);
    });
  });
  request.on('timeout', () => request.destroy(new Error(`${m.Method} ${m.Path}: timeout`)));
  request.on('error', reject);
  request.end();
});

const fetched = async (origin, m) => {
  const response = await fetch(origin + m.Path, { method: m.Method, headers: headers(m), cache: 'no-store' });
  return [response.status, (await response.arrayBuffer()).byteLength];
};

const main = async () => {
  let input = '';
  for await (const chunk of process.stdin) input += chunk;
  const { origin, manners } = JSON.parse(input);
  const result = { HTTP: [], Fetch: [] };
  for (const m of manners) result.HTTP.push(await plain(origin, m));
  for (const m of manners) result.Fetch.push(await fetched(origin, m));
  console.log(JSON.stringify({ ...result, Connections: connections }));
  agent.destroy();
};

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

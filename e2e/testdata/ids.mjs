// An upstream in processes of its own, with Node's default idle time of 5 s. It
// writes the id of each request down before it answers: node ids.mjs PORT FILE
// DELAY WORKERS, where an answer takes up to DELAY ms. Workers share the port;
// FILE.pids lists them, and one that dies is replaced.
import cluster from 'node:cluster';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';

const [port, file, delay, workers] = process.argv.slice(2);

if (cluster.isPrimary) {
  for (let i = 0; i < Number(workers); i++) cluster.fork();
  cluster.on('exit', () => cluster.fork());
} else {
  createServer((request, response) => {
    request.resume().on('end', () => {
      const id = request.headers['x-id'];
      if (id) appendFileSync(file, id + '\n');
      const body = JSON.stringify({ id });
      const answer = () => response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length }).end(body);
      setTimeout(answer, Math.random() * Number(delay));
    });
  }).listen(Number(port), '127.0.0.1', () => appendFileSync(file + '.pids', process.pid + '\n'));
}

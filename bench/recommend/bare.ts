// What HTTP and this machine cost alone: a server that returns one fixed text.
import { createServer } from 'node:http';

const text = process.argv[2];
const server = createServer((_, response) => {
  response.setHeader('Content-Type', 'application/json');
  response.end(text);
});
server.listen(0, '127.0.0.1', () => {
  console.log(`ready http://127.0.0.1:${(server.address() as { port: number }).port}`);
});

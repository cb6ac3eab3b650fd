// A function that greets: GET /?name=You. Node and nothing else.
import http from 'node:http';

http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  if (url.pathname === '/health') {
    response.end('ok');
    return;
  }

  console.log(`${request.method} ${request.url}`);
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ hello: url.searchParams.get('name') ?? 'world', pid: process.pid }) + '\n');
}).listen(process.env.PORT, '127.0.0.1');

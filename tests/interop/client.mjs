// Calls a scaler in every way there is a test for, and prints what came back as one line of JSON.
// Usage: node client.mjs host:port http://host:port host:port, the last one of a scaler that takes no more assigns
import { Scaler, Health, ServerReflection, grpc } from './protos.mjs';

const [, , address, http, full] = process.argv;
const credentials = grpc.credentials.createInsecure();
const unlimited = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };
const scaler = new Scaler(address, credentials, unlimited);
const health = new Health(address, credentials);

/** Promises the outcome of a call, reply or error; hands the call itself out, for cancelling it. */
function call(client, method, request, options = {}, started = () => {}) {
  return new Promise(resolve => {
    let headers;
    const one = client[method](request, new grpc.Metadata(), options, (error, reply) =>
      resolve(error ? { code: error.code, details: error.details } : { code: 0, reply, headers }));
    one.on('metadata', metadata => { headers = metadata; });
    started(one);
  });
}

const assignment = (key, requestId) => ({ request_id: requestId, meta_data: { key, runtime: 'node', memory_in_mb: 512 } });
const assign = (key, requestId, options = {}, started = undefined) => call(scaler, 'Assign', assignment(key, requestId), options, started);
const idle = granted => call(scaler, 'Idle', { assigment: granted.reply.assigment, result: { status_code: 200 } });

const requests = async () => (await (await fetch(`${http}/api/stats`)).json()).requests;

/** How many requests wait, once none does, or at the end of patience. */
async function waiting(wanted) {
  for (let i = 0; i < 2000; i++) {
    if ((await requests()).waiting === wanted) {
      return wanted;
    }

    await new Promise(resolve => setTimeout(resolve, 5));
  }

  return (await requests()).waiting;
}

async function echo(client, requestId) {
  const result = await call(client, 'Assign', assignment('f', requestId));
  if (result.reply) {
    await idle(result);
  }

  return { code: result.code, details: result.details, characters: result.reply?.assigment.request_id.length };
}

async function withCompression(algorithm) {
  const client = new Scaler(address, credentials, { 'grpc.default_compression_algorithm': algorithm });
  const result = await echo(client, 'z'.repeat(500));
  client.close();
  return result;
}

const outcome = {};
const granted = await assign('f', 'r1');
outcome.ok = {
  code: granted.code,
  details: granted.details,
  instance: granted.reply?.assigment.instance_id,
  address: granted.headers?.get('x-instance-address')[0],
  start: granted.headers?.get('x-instance-start')[0],
};
outcome.released = await idle(granted);
outcome.releasedTwice = await idle(granted);
outcome.invalid = await assign('f', '');
outcome.refused = await assign('refused', 'refused');

// On a busy machine a call may be over before it has arrived; the server tells.
for (let milliseconds = 300; ; milliseconds *= 2) {
  const before = (await requests()).assigns;
  outcome.deadline = await assign('wait', `deadline ${milliseconds}`, { deadline: Date.now() + milliseconds });
  if ((await requests()).assigns > before) {
    break;
  }
}

outcome.deadline.waiting = await waiting(0);

let one;
const cancelled = assign('wait', 'cancel', {}, started => { one = started; });
await waiting(1);
one.cancel();
outcome.cancelled = await cancelled;
outcome.cancelled.waiting = await waiting(0);

outcome.gzip = await withCompression(grpc.compressionAlgorithms.gzip);
outcome.deflate = await withCompression(grpc.compressionAlgorithms.deflate);
outcome.large = await echo(scaler, 'x'.repeat(512));
outcome.tooLarge = await echo(scaler, 'x'.repeat(5 << 20));
outcome.afterTooLarge = await echo(scaler, 'x');

outcome.unknown = await new Promise(resolve => {
  scaler.makeUnaryRequest('/serverless.simulator.Scaler/Explode', value => value, value => value, Buffer.alloc(0), error =>
    resolve({ code: error?.code ?? 0, details: error?.details }));
});

const status = async service => (await call(health, 'Check', { service })).reply.status;
outcome.health = { server: await status(''), service: await status('serverless.simulator.Scaler') };
outcome.healthOfNobody = await call(health, 'Check', { service: 'nobody' });
outcome.health.watched = await new Promise(resolve => {
  const watch = health.Watch({ service: 'serverless.simulator.Scaler' });
  watch.on('data', update => {
    resolve(update.status);
    watch.cancel();
  });
  watch.on('error', error => resolve(-error.code));
});

outcome.reflection = await new Promise(resolve => {
  const stream = new ServerReflection(address, credentials).ServerReflectionInfo();
  stream.on('data', reply => {
    resolve(reply.list_services_response.service.map(service => service.name));
    stream.end();
  });
  stream.on('error', error => resolve([error.message]));
  stream.write({ list_services: '*' });
});

/** gRPC-Web by hand: a frame of five bytes and a message, then a frame of trailers, whose first bit says so. */
async function web(request) {
  const { requestSerialize, responseDeserialize, path } = Scaler.service.Assign;
  const message = requestSerialize(request);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  const answer = await fetch(http + path, {
    method: 'POST', headers: { 'content-type': 'application/grpc-web+proto', 'x-grpc-web': '1' }, body: Buffer.concat([head, message]),
  });
  let reply;
  const trailers = new Headers(answer.headers);
  for (let body = Buffer.from(await answer.arrayBuffer()); body.length > 0;) {
    const end = 5 + body.readUInt32BE(1);
    const payload = body.subarray(5, end);
    if (body[0] & 0x80) {
      for (const line of payload.toString().split('\r\n').filter(text => text.includes(':'))) {
        trailers.set(line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim());
      }
    } else {
      reply = responseDeserialize(payload);
    }

    body = body.subarray(end);
  }

  return {
    code: Number(trailers.get('grpc-status')),
    details: decodeURIComponent(trailers.get('grpc-message') ?? ''),
    requestId: reply?.assigment.request_id,
    start: trailers.get('x-instance-start'),
  };
}

outcome.web = await web(assignment('web', 'web-1'));
outcome.webError = await web(assignment('web', ''));

const parallel = await Promise.all(Array.from({ length: 1000 }, async (_, i) => {
  const result = await assign('together', `p${i}`);
  if (result.reply) {
    await idle(result);
  }

  return result.reply?.assigment.request_id === `p${i}`;
}));
outcome.parallel = { right: parallel.filter(right => right).length };

/** What a scaler that takes no more assigns answers to many of them, and to other calls in between, on one connection. */
async function refusals() {
  const scaler = new Scaler(full, credentials);
  const refusal = requestId => new Promise(resolve => scaler.Assign(assignment('f', requestId), error => resolve(error)));

  // Until its memory is looked at, it lets assigns in.
  for (let i = 0; i < 1000 && !await refusal(`first ${i}`); i++) {
    await new Promise(resolve => setTimeout(resolve, 10));
  }

  const errors = await Promise.all(Array.from({ length: 500 }, (_, i) => refusal('x'.repeat(i * 100))));
  const last = errors.at(-1);
  const released = await call(scaler, 'Idle', { assigment: { request_id: 'lost', meta_key: 'lost', instance_id: 'lost' } });
  return {
    refused: errors.filter(error => error?.code === grpc.status.RESOURCE_EXHAUSTED).length,
    details: last?.details,
    pushback: last?.metadata.get('grpc-retry-pushback-ms')[0],
    isDated: last?.metadata.get('date').length > 0,
    released: released.code,
    health: (await call(new Health(full, credentials), 'Check', { service: '' })).reply.status,
  };
}

outcome.full = await refusals();

process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit(0));

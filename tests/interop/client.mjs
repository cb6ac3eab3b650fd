// Calls a Scaler server in every way there is a test for, and prints what came back as one line of JSON.
// Usage: node client.mjs host:port
import { Scaler, Health, grpc } from './protos.mjs';

const address = process.argv[2];
const credentials = grpc.credentials.createInsecure();
const scaler = new Scaler(address, credentials);
const health = new Health(address, credentials);

/** Promises the outcome of a call, reply or error; hands the call itself out, for cancelling it. */
function call(client, method, request, options = {}, started = () => {}) {
  return new Promise(resolve => {
    started(client[method](request, new grpc.Metadata(), options, (error, reply) =>
      resolve(error ? { code: error.code, details: error.details } : { code: 0, reply })));
  });
}

const assign = (behaviour, requestId = 'r', options = {}, started = undefined) =>
  call(scaler, 'Assign', { request_id: requestId, timestamp: 7, meta_data: { key: behaviour, memory_in_mb: 512 } }, options, started);

async function withCompression(algorithm) {
  const client = new Scaler(address, credentials, { 'grpc.default_compression_algorithm': algorithm });
  const result = await call(client, 'Assign', { request_id: 'z'.repeat(5000), meta_data: { key: 'echo' } });
  client.close();
  return { code: result.code, details: result.details, characters: result.reply?.assigment.request_id.length };
}

const size = result => ({ code: result.code, characters: result.reply?.assigment.request_id.length });

const outcome = {};
outcome.ok = await assign('echo', 'r1');
outcome.error = await assign('error');
outcome.failure = await assign('failure');

// On a busy machine a call may be over before it has arrived; the server tells.
let arrived = false;
for (let milliseconds = 300; !arrived; milliseconds *= 2) {
  outcome.deadline = await assign('wait', `deadline ${milliseconds}`, { deadline: Date.now() + milliseconds });
  arrived = (await assign('until-ended', `deadline ${milliseconds}`)).reply.assigment.instance_id === 'ended';
}

let waiting;
const cancelled = assign('wait', 'cancel', {}, started => { waiting = started; });
await assign('until-waiting', 'cancel');
waiting.cancel();
outcome.cancelled = await cancelled;
outcome.cancelled.seen = (await assign('until-ended', 'cancel')).reply.assigment.instance_id;

outcome.gzip = await withCompression(grpc.compressionAlgorithms.gzip);
outcome.deflate = await withCompression(grpc.compressionAlgorithms.deflate);
outcome.large = size(await assign('echo', 'x'.repeat(3 << 20)));
outcome.tooLarge = size(await assign('echo', 'x'.repeat(5 << 20)));
outcome.afterTooLarge = size(await assign('echo', 'x'));

outcome.unknown = await new Promise(resolve => {
  scaler.makeUnaryRequest('/serverless.simulator.Scaler/Explode', value => value, value => value, Buffer.alloc(0), error =>
    resolve({ code: error?.code ?? 0, details: error?.details }));
});

outcome.health = await call(health, 'Check', { service: '' });
outcome.healthOfNobody = await call(health, 'Check', { service: 'nobody' });
outcome.healthWatch = await new Promise(resolve => {
  const watch = health.Watch({ service: '' });
  watch.on('data', () => {});
  watch.on('error', error => resolve({ code: error.code }));
});

const parallel = await Promise.all(Array.from({ length: 1000 }, (_, i) => assign('together', `p${i}`)));
outcome.parallel = { right: parallel.filter((result, i) => result.reply?.assigment.request_id === `p${i}`).length };

process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit(0));

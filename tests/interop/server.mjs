// A Platform server. Prints its port, and lives until its stdin ends.
import { Platform, grpc } from './protos.mjs';

/** What happened to calls that wait: "started wait-1", "cancelled wait-1". */
const seen = new Set();

function createSlot(call, callback) {
  const { request_id: behaviour, resource_config: config } = call.request;
  if (behaviour.startsWith('wait')) {
    seen.add(`started ${behaviour}`);
    call.on('cancelled', () => seen.add(`cancelled ${behaviour}`));
    return;
  }

  switch (config.memory_in_megabytes === 429 ? 'error' : behaviour) {
    case 'error':
      // No message was sent, so this is "trailers only" on the wire.
      callback({ code: grpc.status.RESOURCE_EXHAUSTED, details: '没有内存了: 100% 🚀\n' });
      break;
    case 'deadline':
      callback(null, { status: 'Ok', error_message: String(Math.round((call.getDeadline() - Date.now()) / 60000)) });
      break;
    case 'large':
      callback(null, { status: 'Ok', error_message: 'x'.repeat(60 << 10) });
      break;
    default:
      callback(null, {
        status: 'Ok',
        slot: { id: config.memory_in_megabytes === 1 ? `slot-${behaviour}` : `slot-of-${config.memory_in_megabytes}`, resource_config: config, create_time: 1, create_duration_in_ms: 500 },
      });
  }
}

const server = new grpc.Server();
server.addService(Platform.service, {
  CreateSlot: createSlot,
  // Answers once what the id says has happened; slots are gone at once.
  DestroySlot: (call, callback) => {
    const poll = () => seen.has(call.request.id) || call.request.id.startsWith('slot-') ? callback(null, { status: 'Ok' }) : setTimeout(poll, 5);
    poll();
  },
});
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) {
    throw error;
  }

  console.log(port);
});

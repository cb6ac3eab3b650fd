import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const load = path => grpc.loadPackageDefinition(
  loader.loadSync(fileURLToPath(new URL(path, import.meta.url)), { keepCase: true, longs: Number, defaults: true }));

export const { Scaler, Platform } = load('../../src/Shared/Contract/scaler.proto').serverless.simulator;
export const { Health } = load('health.proto').grpc.health.v1;
export const { ServerReflection } = load('reflection.proto').grpc.reflection.v1alpha;
export { grpc };

// Whoever started this holds the other end of stdin: when it is gone, so is this.
process.stdin.resume();
process.stdin.on('end', () => process.exit(1));

import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const source = path => fileURLToPath(new URL(`../../src/${path}`, import.meta.url));
const load = path => grpc.loadPackageDefinition(loader.loadSync(source(path), { keepCase: true, longs: Number }));

export const { Scaler, Platform } = load('Shared/Contract/scaler.proto').serverless.simulator;
export const { Health } = load('UnaryGrpc/Health/health.proto').grpc.health.v1;
export { grpc };

// Whoever started this holds the other end of stdin: when it is gone, so is this.
process.stdin.resume();
process.stdin.on('end', () => process.exit(1));

// grpc-js at its barest, to compare with: gives every message back as it came. node echo-process.js
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { xsfPath } from './messages.js';

const identity = (bytes: Buffer): Buffer => bytes;
const server = new Server({ 'grpc.max_receive_message_length': 64 << 20, 'grpc.max_send_message_length': 64 << 20 });
server.register(
  xsfPath,
  (call: { request: Buffer }, callback: (error: null, value: Buffer) => void) => {
    callback(null, call.request);
  },
  identity,
  identity,
  'unary',
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.send?.({ port });
});
process.on('disconnect', () => process.exit());

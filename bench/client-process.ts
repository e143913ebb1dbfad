// The client of stream sessions, and of everything where h2load is not installed: node client-process.js '<JSON>'
import { type Destination, openCaller } from './callers.js';
import { drive } from './drive.js';
import { serveJobs } from './jobs.js';

export interface ClientArguments {
  readonly destination: Destination;
  readonly connections: number;
  readonly streams: number;
}

const { destination, connections, streams } = JSON.parse(process.argv[2] ?? '') as ClientArguments;
const callers = Array.from({ length: connections }, () => openCaller(destination));
serveJobs((calls) => drive(callers, streams, calls));

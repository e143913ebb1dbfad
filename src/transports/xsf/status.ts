import type { AigesError } from '../../core/errors.js';
import { DataStatus } from '../../core/frame.js';
import { GrpcError, GrpcStatus } from '../grpc/server.js';
import type { LoaderOutput } from './codec.js';

/** Failures of a call travel inside a successful reply. */
export function failedOutput(error: AigesError): LoaderOutput {
  return { serviceId: '', error, status: DataStatus.end, payloads: [] };
}

/** Only a node without capacity is reported on the envelope too: it sends clients to another node. */
export function envelopeError(error: AigesError): AigesError | null {
  return error.code === 10110 ? error : null;
}

export function malformedEnvelope(cause: unknown): GrpcError {
  const reason = cause instanceof Error ? cause.message : 'not a protobuf message';
  return new GrpcError(GrpcStatus.internal, `grpc: error unmarshalling request: ${reason}`);
}

/** The text is the one that the tier's clients know. */
export function rateExceeded(): GrpcError {
  return new GrpcError(GrpcStatus.unknown, 'request traffic exceeds limit,and rateFallback not defined');
}

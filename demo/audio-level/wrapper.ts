import {
  AudioBodyField,
  IntegerParamField,
  JsonBodyField,
  NumberParamField,
  type StreamResult,
  type StreamSession,
  WrapperBase,
} from 'aiges-ts';
import { type Level, type Segment, VoiceDetector } from './voice-detector.js';

class LevelRequest {
  rate = new IntegerParamField({ enums: [8000, 16000, 48000], value: 8000, description: 'samples a second' });
  threshold = new NumberParamField({ minimum: -90, maximum: 0, value: -45, description: 'dB; louder is speech' });
  hangover = new IntegerParamField({
    minimum: 0,
    maximum: 5000,
    value: 300,
    description: 'ms; shorter pauses do not count',
  });
  audio = new AudioBodyField({ encoding: 'raw', path: 'speech.pcm', description: '16-bit little-endian, one channel' });
}

class LevelResponse {
  level = new JsonBodyField<Level, false>({ required: false, description: 'of one packet' });
  speech = new JsonBodyField<{ readonly length: number; readonly segments: readonly Segment[] }>({
    description: 'where somebody spoke, in ms; with the last packet',
  });
}

/** Level and voice activity of a stream of sound. */
export default class AudioLevel extends WrapperBase<LevelRequest, LevelResponse> {
  override serviceId = 'audio-level';
  override requestCls = new LevelRequest();
  override responseCls = new LevelResponse();

  override async *stream({
    params,
    packets,
    log,
  }: StreamSession<LevelRequest>): AsyncGenerator<StreamResult<LevelResponse>, StreamResult<LevelResponse>> {
    const detector = new VoiceDetector(params);
    try {
      for await (const { inputs } of packets) {
        if (inputs.audio !== undefined) yield { level: detector.take(inputs.audio.data) };
      }
    } finally {
      // Also when the client leaves before the end.
      this.meter('milliseconds', detector.length);
      log.info('sound has ended', { length: detector.length });
    }
    return { speech: { length: detector.length, segments: detector.segments() } };
  }
}

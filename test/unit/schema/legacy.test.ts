import { describe, expect, it } from 'vitest';
import {
  AudioBodyField,
  BooleanParamField,
  ImageBodyField,
  IntegerParamField,
  NumberParamField,
  StringBodyField,
  StringParamField,
  VideoBodyField,
  WrapperBase,
} from '../../../src/index.js';
import { legacySchema } from '../../../src/schema/legacy.js';
import { readDeclaration } from '../../../src/sdk/declaration.js';
import { body, descriptor, param } from '../../fixtures/descriptors.js';

class MusicRequest {
  mode = new StringParamField({ enums: ['music', 'humming'] });
  lang = new StringParamField({ maxLength: 44, required: true });
  score = new NumberParamField({ maximum: 10 });
  verbose = new BooleanParamField();
  data = new AudioBodyField();
  note = new StringBodyField();
  cover = new ImageBodyField();
}

class MusicResponse {
  output_text = new StringBodyField();
}

class Music extends WrapperBase<MusicRequest, MusicResponse> {
  override readonly serviceId = 'music';
  override requestCls = new MusicRequest();
  override responseCls = new MusicResponse();
  override onceExec(): { output_text: string } {
    return { output_text: '' };
  }
}

const text50 = { type: 'string', maxLength: 50 };
const outputText = {
  type: 'object',
  properties: {
    encoding: { type: 'string', enum: ['utf8', 'gb2312'] },
    compress: { type: 'string', enum: ['gzip'] },
    status: { type: 'integer', enum: [0, 1, 2, 3] },
    seq: { type: 'integer' },
    text: { type: 'string' },
  },
};

/** What the Python SDK gives for the same wrapper. */
const expected = {
  meta: {
    serviceId: 'music',
    version: 'v1',
    route: '/v1/private/music',
    sub: 'ase',
    call: 'atmos',
    call_type: 0,
    hosts: 'api.xf-yun.com',
    service: ['music'],
    routeKey: [],
    music: {
      input: { data: { dataType: 'audio' }, note: { dataType: 'text' }, cover: { dataType: 'image' } },
      accept: { output_text: { dataType: 'text' } },
    },
  },
  schemainput: {
    type: 'object',
    properties: {
      header: {
        type: 'object',
        properties: {
          appid: text50,
          uid: text50,
          device_id: text50,
          'device.imei': text50,
          'device.imsi': text50,
          'device.mac': text50,
          'device.other': text50,
          'net.type': text50,
          'net.isp': text50,
          'app.ver': text50,
        },
        required: ['appid'],
      },
      parameter: {
        type: 'object',
        properties: {
          music: {
            type: 'object',
            properties: {
              mode: { type: 'string', enum: ['music', 'humming'] },
              lang: { type: 'string', maxLength: 44 },
              score: { type: 'number', maximum: 10 },
              verbose: { type: 'boolean', default: false },
            },
            required: ['lang'],
          },
        },
      },
      payload: {
        type: 'object',
        properties: {
          data: {
            type: 'object',
            properties: {
              encoding: { type: 'string', enum: ['opus', 'speex'] },
              sample_rate: { type: 'integer', enum: [8000, 16000] },
              bit_depth: { type: 'integer', enum: [8, 16] },
              channels: { type: 'integer', enum: [1, 2] },
              status: { type: 'integer', enum: [0, 1, 2, 3] },
              seq: { type: 'integer' },
              audio: { type: 'string' },
            },
          },
          note: outputText,
          cover: {
            type: 'object',
            properties: {
              encoding: { type: 'string', enum: ['jpg', 'png', 'bmp', 'jpeg'] },
              image: { type: 'string', minLength: 1, maxLength: 10485760 },
              status: { type: 'integer', enum: [3] },
            },
          },
        },
      },
    },
  },
  schemaoutput: {
    type: 'object',
    properties: { payload: { type: 'object', properties: { output_text: outputText } } },
  },
};

describe('legacySchema', () => {
  it('refuses a wrapper without inputs or outputs, as the Python SDK did', () => {
    expect(() => legacySchema(descriptor({ outputs: [body('a')] }), 's')).toThrow(/at least one input/);
    expect(() => legacySchema(descriptor({ inputs: [body('a')] }), 's')).toThrow(/at least one output/);
  });

  it('gives what the Python SDK gives, with the keys in the same order', () => {
    const { descriptor: described } = readDeclaration(new Music());
    expect(JSON.stringify(legacySchema(described, 'unused'))).toBe(JSON.stringify(expected));
  });

  it('names the service where the wrapper does not', () => {
    const described = descriptor({ version: 'v2', inputs: [body('a')], outputs: [body('b')], params: [param('p')] });
    expect(legacySchema(described, 'fallback')).toMatchObject({
      meta: { serviceId: 'fallback', route: '/v2/private/fallback' },
    });
  });

  it('describes video and integers, which the Python SDK could not or dropped', () => {
    const video = new VideoBodyField().describe('film');
    const top = new IntegerParamField({ maximum: 3 }).describe('top');
    const schema = legacySchema(descriptor({ inputs: [video], outputs: [body('b')], params: [top] }), 's');
    expect(schema).toMatchObject({
      meta: { s: { input: { film: { dataType: 'video' } } } },
      schemainput: {
        properties: {
          parameter: { properties: { s: { properties: { top: { type: 'integer', maximum: 3 } } } } },
          payload: { properties: { film: { properties: { video: { type: 'string' } } } } },
        },
      },
    });
  });
});

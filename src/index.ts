export { DataStatus, DataType, type StringMap } from './core/frame.js';
export type {
  Engine,
  EngineAnswer,
  EngineCall,
  EngineInput,
  EnginePacket,
  EngineParams,
  EngineStream,
} from './sdk/engine.js';
export type { EngineCapabilities, EngineOptions } from './sdk/native-plugin.js';
export {
  AudioBodyField,
  BooleanParamField,
  ImageBodyField,
  IntegerParamField,
  JsonBodyField,
  NumberParamField,
  StringBodyField,
  StringParamField,
  VideoBodyField,
} from './sdk/fields.js';
export { NativeWrapper } from './sdk/native-wrapper.js';
export { PluginError } from './sdk/plugin-error.js';
export {
  DataAudio,
  DataBegin,
  DataContinue,
  DataEnd,
  DataImage,
  DataOnce,
  DataText,
  DataVideo,
  Once,
  Response,
  ResponseData,
} from './sdk/response.js';
export type {
  CallLog,
  Input,
  Inputs,
  JsonInput,
  OnceRequest,
  Outputs,
  Packet,
  Params,
  Resource,
  StreamResult,
  StreamSession,
  TextInput,
  WrapperResult,
} from './sdk/types.js';
export { type MaybePromise, type StreamResults, WrapperBase } from './sdk/wrapper-base.js';

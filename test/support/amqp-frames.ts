/** Reads AMQP 0-9-1 frame headers off a byte stream, for counting what really crossed the wire. */

export interface Frame {
  readonly type: 'method' | 'header' | 'body' | 'heartbeat' | 'unknown';
  readonly channel: number;
  /** Size of the payload in bytes, without the 8 bytes of framing. */
  readonly size: number;
  /** 'basic.publish' and so on; only for method frames. */
  readonly method?: string;
}

const METHODS: Readonly<Record<number, readonly [string, Readonly<Record<number, string>>]>> = {
  10: [
    'connection',
    {
      10: 'start',
      11: 'start-ok',
      20: 'secure',
      21: 'secure-ok',
      30: 'tune',
      31: 'tune-ok',
      40: 'open',
      41: 'open-ok',
      50: 'close',
      51: 'close-ok',
      60: 'blocked',
      61: 'unblocked',
      70: 'update-secret',
      71: 'update-secret-ok',
    },
  ],
  20: ['channel', { 10: 'open', 11: 'open-ok', 20: 'flow', 21: 'flow-ok', 40: 'close', 41: 'close-ok' }],
  40: [
    'exchange',
    {
      10: 'declare',
      11: 'declare-ok',
      20: 'delete',
      21: 'delete-ok',
      30: 'bind',
      31: 'bind-ok',
      40: 'unbind',
      51: 'unbind-ok',
    },
  ],
  50: [
    'queue',
    {
      10: 'declare',
      11: 'declare-ok',
      20: 'bind',
      21: 'bind-ok',
      30: 'purge',
      31: 'purge-ok',
      40: 'delete',
      41: 'delete-ok',
      50: 'unbind',
      51: 'unbind-ok',
    },
  ],
  60: [
    'basic',
    {
      10: 'qos',
      11: 'qos-ok',
      20: 'consume',
      21: 'consume-ok',
      30: 'cancel',
      31: 'cancel-ok',
      40: 'publish',
      50: 'return',
      60: 'deliver',
      70: 'get',
      71: 'get-ok',
      72: 'get-empty',
      80: 'ack',
      90: 'reject',
      100: 'recover-async',
      110: 'recover',
      111: 'recover-ok',
      120: 'nack',
    },
  ],
  85: ['confirm', { 10: 'select', 11: 'select-ok' }],
  90: [
    'tx',
    { 10: 'select', 11: 'select-ok', 20: 'commit', 21: 'commit-ok', 30: 'rollback', 31: 'rollback-ok' },
  ],
};

const TYPES: Readonly<Record<number, Frame['type']>> = {
  1: 'method',
  2: 'header',
  3: 'body',
  8: 'heartbeat',
};

const methodName = (classId: number, methodId: number): string => {
  const [name, methods] = METHODS[classId] ?? [String(classId), {}];
  return `${name}.${methods[methodId] ?? methodId}`;
};

/**
 * Feed it the chunks of one direction of one connection; it calls back once per complete frame. The payload is a view
 * into the chunk: copy what is to be kept.
 */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);
  #opaque = false;
  #begun: boolean;
  readonly #onFrame: (frame: Frame, payload: Buffer) => void;

  /** `protocolHeader`: whether this direction opens with the 8 bytes `AMQP 0 0 9 1` (client to server). */
  constructor(protocolHeader: boolean, onFrame: (frame: Frame, payload: Buffer) => void) {
    this.#begun = !protocolHeader;
    this.#onFrame = onFrame;
  }

  push(chunk: Buffer): void {
    if (this.#opaque) return;
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (!this.#begun) {
      if (bytes.length < 8) {
        this.#rest = bytes;
        return;
      }
      // TLS, or no AMQP at all: carried along, but not to be read.
      this.#opaque = bytes.toString('latin1', 0, 4) !== 'AMQP';
      this.#begun = true;
      bytes = bytes.subarray(8);
    }
    while (!this.#opaque && bytes.length >= 7) {
      const size = bytes.readUInt32BE(3);
      if (bytes.length < size + 8) break;
      if (bytes[size + 7] !== 0xce) {
        this.#opaque = true;
        break;
      }
      const type = TYPES[bytes.readUInt8(0)] ?? 'unknown';
      const channel = bytes.readUInt16BE(1);
      const method =
        type === 'method' ? { method: methodName(bytes.readUInt16BE(7), bytes.readUInt16BE(9)) } : {};
      this.#onFrame({ type, channel, size, ...method }, bytes.subarray(7, size + 7));
      bytes = bytes.subarray(size + 8);
    }
    this.#rest = this.#opaque ? Buffer.alloc(0) : bytes;
  }
}

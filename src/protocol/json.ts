/** The wire form of every message of this protocol: JSON in UTF-8. */
export function encodeJson(message: object): Uint8Array {
  return Buffer.from(JSON.stringify(message), 'utf8');
}

/** Undefined, which no JSON is, when it cannot be read. */
export function decodeJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    return undefined;
  }
}

/** The arguments of the few AMQP methods that tell where a contender stands; a payload begins with class and method. */

const FIRST_ARGUMENT = 4;

const shortString = (payload: Buffer, at: number): { readonly text: string; readonly end: number } => {
  const end = at + 1 + payload.readUInt8(at);
  return { text: payload.toString('utf8', at + 1, end), end };
};

/** queue.declare, queue.purge and basic.consume: a reserved short, then the queue. */
export const queueAsked = (payload: Buffer): string => shortString(payload, FIRST_ARGUMENT + 2).text;

export function isPassive(declare: Buffer): boolean {
  const { end } = shortString(declare, FIRST_ARGUMENT + 2);
  return (declare.readUInt8(end) & 1) === 1;
}

/** Whether a queue.declare-ok says that nothing is in the queue and nobody consumes from it. */
export function isDeserted(declareOk: Buffer): boolean {
  const { end } = shortString(declareOk, FIRST_ARGUMENT);
  return declareOk.readUInt32BE(end) === 0 && declareOk.readUInt32BE(end + 4) === 0;
}

/** basic.publish: a reserved short, the exchange, then the routing key, which the default exchange takes for a queue. */
export function routingKey(publish: Buffer): string {
  const { end } = shortString(publish, FIRST_ARGUMENT + 2);
  return shortString(publish, end).text;
}

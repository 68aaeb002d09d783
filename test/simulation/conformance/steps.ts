import type { DeclareStep, Step } from './script.ts';

/** The steps of a script, by name. */
export const declare = (args?: DeclareStep['arguments']): Step => ({
  do: 'declare',
  ...(args && { arguments: args }),
});
export const purge: Step = { do: 'purge' };
export const remove: Step = { do: 'delete' };
export const restart: Step = { do: 'restart' };
export const kill: Step = { do: 'kill' };
export const recreate = (afterMs: number): Step => ({ do: 'recreate', afterMs });
export const publish = (message: string, ttlMs?: number): Step => ({
  do: 'publish',
  message,
  ...(ttlMs !== undefined && { ttlMs }),
});
export const consume = (channel: string, options: { prefetch?: number; priority?: number } = {}): Step => ({
  do: 'consume',
  channel,
  ...options,
});
export const cancel = (channel: string): Step => ({ do: 'cancel', channel });
export const close = (channel: string): Step => ({ do: 'close', channel });
export const limit = (channel: string): Step => ({ do: 'limit', channel });
export const look = (channel: string): Step => ({ do: 'look', channel });
export const get = (channel: string): Step => ({ do: 'get', channel });
/** The same of the register. */
export const ofRegister = (step: Step): Step => ({ ...step, of: 'register' }) as Step;
export const ack = (channel: string, message: string): Step => ({ do: 'ack', channel, message });
export const nack = (channel: string, message: string): Step => ({ do: 'nack', channel, message });
export const reject = (channel: string, message: string): Step => ({ do: 'reject', channel, message });
export const drop = (connection: string): Step => ({ do: 'drop', connection });
export const leave = (connection: string): Step => ({ do: 'leave', connection });
export const wait = (ms: number): Step => ({ do: 'wait', ms });
export const alarm = (on: boolean): Step => ({ do: 'alarm', on });
export const policy = (definition?: Extract<Step, { do: 'policy' }>['definition']): Step => ({
  do: 'policy',
  definition,
});
export const times = (count: number, ...steps: Step[]): Step[] =>
  Array.from({ length: count }, () => steps).flat();

import { subscribe, unsubscribe } from 'node:diagnostics_channel';

/** Ends what a call began. */
export type Stop = () => void;

/** Listens to one diagnostics channel. `T` is what the core documents for it. */
export function listen<T extends object>(name: string, handle: (message: T) => void): Stop {
  const onMessage = (message: unknown) => handle(message as T);
  subscribe(name, onMessage);
  return () => void unsubscribe(name, onMessage);
}

/** `error.type` as OpenTelemetry has it: a word of few values. Our own code, else the name of the error's class. */
export function errorType(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '_OTHER';
  const { code, name } = error as { code?: unknown; name?: unknown };
  if (typeof code === 'string') return code;
  return typeof name === 'string' ? name : '_OTHER';
}

/** Why a lease was lost, if this is the error of a loss. */
export function lostReason(error: unknown): string | undefined {
  const reason = (error as { reason?: unknown } | undefined)?.reason;
  return typeof reason === 'string' ? reason : undefined;
}

import { alone } from './callbacks.ts';
import { isFunction, isObject } from './validation.ts';

const callbacksOf = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls back once when a user's signal aborts; returns a function that cancels it. All callbacks of one signal share one
 * listener: Node warns of a leak from the 11th on.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const callbacks = callbacksOf.get(signal) ?? listen(signal);
  callbacks.add(callback);
  return () => {
    callbacks.delete(callback);
    if (callbacks.size === 0) unlisten.get(callbacks)?.();
  };
}

const unlisten = new WeakMap<Set<() => void>, () => void>();

function listen(signal: AbortSignal): Set<() => void> {
  const callbacks = new Set<() => void>();
  const fire = () => {
    stop();
    for (const callback of callbacks) alone(callback);
  };
  const stop = () => {
    signal.removeEventListener('abort', fire);
    if (callbacksOf.get(signal) === callbacks) callbacksOf.delete(signal);
  };
  signal.addEventListener('abort', fire);
  callbacksOf.set(signal, callbacks);
  unlisten.set(callbacks, stop);
  return callbacks;
}

/** Polyfills of old may give no reason. */
export const reasonOf = (signal: AbortSignal): unknown =>
  signal.reason ?? new DOMException('This operation was aborted', 'AbortError');

/** By shape: signals of jsdom, of a vm context or of a polyfill are none of this realm's. */
export const isAbortSignal = (value: unknown): boolean => {
  if (!isObject(value)) return false;
  const { aborted, addEventListener, removeEventListener } = value as Record<string, unknown>;
  return typeof aborted === 'boolean' && isFunction(addEventListener) && isFunction(removeEventListener);
};

import type { Channel } from 'node:diagnostics_channel';
import { type EventEmitter, errorMonitor } from 'node:events';
import { setImmediate } from 'node:timers';
import type { Logger } from './logger.ts';

/*
 * Code of users never runs inside a step of ours: what it throws would end the step half-way, and what it calls would
 * find it half done. It runs when the step is over, in the order in which there was something to tell.
 */

/** Runs it when the code that runs now has ended. By a promise, because Jest's fake timers hold queueMicrotask back. */
export function soon(callback: () => void): void {
  void Promise.resolve().then(callback);
}

/** Runs it. What it throws is nobody else's: it is thrown as from a timer of its own. */
export function alone(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
  }
}

/** Emits an event soon. Unlike `emit`, all listeners are told, also when one of them throws. */
export function tell<Events extends Record<keyof Events, unknown[]>, Name extends keyof Events & string>(
  emitter: EventEmitter<Events>,
  event: Name,
  ...args: Events[Name]
): void {
  const { rawListeners } = emitter as EventEmitter;
  const listenersOf = (name: string | symbol) => Reflect.apply(rawListeners, emitter, [name]);
  soon(() => {
    const monitors = event === 'error' ? listenersOf(errorMonitor) : [];
    for (const listener of [...monitors, ...listenersOf(event)]) {
      alone(() => Reflect.apply(listener, emitter, args));
    }
  });
}

/** Publishes a message soon. What a subscriber throws is thrown by Node in a turn of its own. */
export function publish<T>(channel: Channel<unknown, T>, message: T): void {
  if (channel.hasSubscribers) soon(() => channel.publish(message));
}

/** The same logger, called soon, and without what it throws: a log that cannot be written changes nothing else. */
export function guarded(logger: Logger): Logger {
  const level = (name: keyof Logger) => (fields: object, message: string) =>
    soon(() => {
      try {
        logger[name](fields, message);
      } catch {
        // Nothing is left that could tell of it.
      }
    });
  return { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') };
}

import type { Logger } from '../index.ts';

/** Everything the library has to say, as JSON lines on stderr. */
export async function verboseLogger(): Promise<Logger> {
  const { destination, pino } = await import('pino');
  const logger: Logger = pino({ name: 'baton', level: 'debug' }, destination({ fd: 2, sync: true }));
  return logger;
}

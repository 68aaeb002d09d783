import type { Logger } from '../index.ts';
import { log } from './talk.ts';

/** Everything the library has to say, as JSON lines on stderr. */
export async function verboseLogger(): Promise<Logger> {
  const { pino } = await import('pino');
  const logger: Logger = pino({ name: 'baton', level: 'debug' }, { write: log });
  return logger;
}

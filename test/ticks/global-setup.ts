import { setup as setUpCommand } from '../cli/support/global-setup.ts';
import { provideFaketime } from './fake-clock.ts';

/** A broker, the command, and libfaketime. */
export async function setup(): Promise<() => Promise<void>> {
  await provideFaketime();
  return setUpCommand();
}

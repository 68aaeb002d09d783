import type { Case } from '../contract.ts';
import { administration } from './administration.ts';
import { exclusion } from './exclusion.ts';
import { faults } from './faults.ts';
import { fences } from './fences.ts';
import { foreignMessages } from './foreign-messages.ts';
import { idleExpiry } from './idle-expiry.ts';
import { leases } from './leases.ts';
import { lines } from './lines.ts';
import { localBatch } from './local-batch.ts';
import { register } from './register.ts';
import { slots } from './slots.ts';
import { state } from './state.ts';
import { verified } from './verified.ts';
import { waiting } from './waiting.ts';
import { wire } from './wire.ts';

/** What every coordinator must do, whatever it is connected to. */
export const cases: readonly Case[] = [
  ...exclusion,
  ...waiting,
  ...leases,
  ...verified,
  ...fences,
  ...lines,
  ...foreignMessages,
  ...idleExpiry,
  ...slots,
  ...localBatch,
  ...faults,
  ...state,
  ...register,
  ...administration,
  ...wire,
];

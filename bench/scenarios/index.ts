import { capture } from './capture.ts';
import { cycle } from './cycle.ts';
import { death } from './death.ts';
import { fresh } from './fresh.ts';
import { growth } from './growth.ts';
import { handoff } from './handoff.ts';
import { rest } from './rest.ts';
import type { Scenario } from './scenario.ts';

export const SCENARIOS: readonly Scenario[] = [cycle, fresh, handoff, death, rest, growth, capture];

import { cycle } from './cycle.ts';
import { fresh } from './fresh.ts';
import { handoff } from './handoff.ts';
import type { Scenario } from './scenario.ts';

export const SCENARIOS: readonly Scenario[] = [cycle, fresh, handoff];

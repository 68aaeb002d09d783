import type { Scenario } from '../script.ts';
import { administration } from './administration.ts';
import { destruction } from './destruction.ts';
import { lines } from './lines.ts';
import { register } from './register.ts';
import { returns } from './returns.ts';

export const SCENARIOS: readonly Scenario[] = [
  ...lines,
  ...returns,
  ...destruction,
  ...administration,
  ...register,
];

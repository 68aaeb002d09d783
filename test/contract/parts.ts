import { cases } from './cases/index.ts';
import type { Capability, Case } from './contract.ts';

/** What is felt by everybody on the broker. */
const FELT_BY_ALL: readonly Capability[] = ['alarm', 'restart', 'administration'];

/** Cases that need the broker for themselves. */
export const alone: readonly Case[] = cases.filter(({ needs }) =>
  needs.some((it) => FELT_BY_ALL.includes(it)),
);
/** Cases that can share it. */
export const beside: readonly Case[] = cases.filter((each) => !alone.includes(each));

/** One of `of` parts, which run side by side: most cases wait most of the time. */
export const part = (of: readonly Case[], number: number, parts: number): readonly Case[] =>
  of.filter((_, index) => index % parts === number - 1);

import type { InHand } from '../../../src/protocol/register/types.ts';
import type { Contender } from '../client/state.ts';
import type { World } from '../world.ts';
import type { Parts } from './canonical-model.ts';

/** What a hold knows of the register. Its line and its fence are those of the hold. */
export function registerOf(
  { register, saves, leavesWith, watched }: Contender,
  lastTag: number,
  now: number,
  mono: number,
  zero: bigint,
  parts: Parts,
): void {
  if (register === undefined) return;
  const inHand = (entry: InHand | undefined) => {
    if (entry === undefined) parts.push('');
    else parts.push(entry.entry.id, entry.returns, entry.wasHeld, lastTag - entry.deliveryTag);
  };
  parts.push('register', register.at, String(register.place.fence - zero), saves, leavesWith);
  parts.push(lastTag - watched.deliveryTag);
  switch (register.at) {
    case 'declaring':
      parts.push(register.askAt !== undefined && register.askAt - mono);
      break;
    case 'reading':
      inHand(register.best);
      inHand(register.away);
      parts.push(register.cameBack, register.actAt - mono);
      break;
    case 'overtaken':
      parts.push(register.proofs);
      break;
    case 'kept':
      inHand(register.kept);
      inHand(register.away);
      parts.push(register.proofs, register.refreshAt - mono, register.seq, watched.keptSince - now);
      for (const { seq, ticket } of register.saves) parts.push(seq, ticket);
  }
}

/** What was written, and what the checks remember of it. */
export function savesOf({ written, saves, checks, model }: World, zero: bigint, parts: Parts): void {
  const { confirmed, handed, read, destroyed } = checks;
  parts.push('saves');
  for (const { fence, seq, holder } of saves) parts.push(String(fence - zero), seq, model.handOuts - holder);
  for (const { fence, seq, save } of written) parts.push(fence === 0n ? '' : String(fence - zero), seq, save);
  parts.push('confirmed', ...confirmed.toSorted((a, b) => a - b), 'read', ...read);
  for (const { handOut, save } of handed) parts.push(model.handOuts - handOut, save);
  parts.push('destroyed', ...destroyed.toSorted((a, b) => a - b));
}

import type { ContractMutant } from '../mutant.ts';

const LATE =
  'a stale holder’s late write has no effect: while the next one holds, after it, or before the next read';

/** Rules about the state that travels with a lock. */
export const registerMutants: readonly ContractMutant[] = [
  {
    name: 'a late write counts',
    why: 'What a holder wrote after it had gone, and was never told to be done, changes what its successors were handed.',
    edits: [
      {
        file: 'src/protocol/register/reading.ts',
        find: 'if (one.wasHeld !== other.wasHeld) return one.wasHeld;',
        replace: '',
      },
    ],
    caughtBy: { harness: 'memory', title: LATE },
  },
  {
    name: 'a save is done when it is sent',
    why: 'A holder that lost the lock without a word is told that its save is done, and the next one never sees it.',
    edits: [
      {
        file: 'src/protocol/register/keeping.ts',
        find: "effects: [{ do: 'register-write', channelId, fence, seq, state: value }],",
        replace: `effects: [
      { do: 'register-write', channelId, fence, seq, state: value },
      ...(ticket === undefined ? [] : [{ do: 'saved', ticket } as const]),
    ],`,
      },
    ],
    caughtBy: {
      harness: 'memory',
      title:
        'a holder that lost both without a word is never told that a save is done, and its write has no effect',
    },
  },
  {
    name: 'seeds with a fence',
    why: 'Somebody who waits for the register behind a stale holder wipes out what that one has saved.',
    edits: [
      {
        file: 'src/protocol/register/reading.ts',
        find: 'function seed({ channelId }: Place): RegisterEffect {',
        replace: 'function seed({ channelId, fence }: Place): RegisterEffect {',
      },
      {
        file: 'src/protocol/register/reading.ts',
        find: '{ fence: 0n, seq: 0, state: undefined }',
        replace: '{ fence, seq: 0, state: undefined }',
      },
    ],
    caughtBy: {
      harness: 'memory',
      title:
        'anybody who is granted while a stale holder still has the register waits for it, and reads what that one saved last',
    },
  },
  {
    name: 'what is written above the fence of a holder ends its lease',
    why: 'One foreign entry undoes a confirmed save: the next holder reads it.',
    edits: [
      {
        file: 'src/protocol/register/keeping.ts',
        find: "if (entry.fence >= place.fence) return { state, effects: [], verdict: { is: 'suspect', deliveryTag } };",
        replace: 'if (entry.fence >= place.fence) return superseded(state);',
      },
    ],
    caughtBy: {
      harness: 'memory',
      title:
        'what somebody writes above the fence of a holder does not undo a confirmed save: the token says that it is foreign',
    },
  },
  {
    name: 'a try looks on while its process releases',
    why: 'In a process that takes and releases a lock again and again a try of it is never answered.',
    edits: [
      {
        file: 'src/protocol/contender/opening.ts',
        find: 'if (state.seenHeldAt === undefined) {',
        replace: 'if (state.seenHeldAt === undefined || justReleased) {',
      },
    ],
    caughtBy: {
      harness: 'memory',
      title:
        'tryAcquire is answered within 150 ms, whatever its own process does with the lock: takes and releases it, or waits in vain',
    },
  },
];

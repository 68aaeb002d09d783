import type { ContractMutant, Edit } from '../mutant.ts';

const NOT_OWED: Edit = {
  file: 'src/coordinator.ts',
  find: 'await this.#within(OWED_MS, () => this.#acquirer.replaced());',
  replace: '',
};

const closing = (how: string) => `is seen to its end by a close ${how}: there is a token after each of 30`;

/** Rules about a close that comes while a release replaces its token. The order of the steps: test/simulation/mutants. */
export const replacingMutants: readonly ContractMutant[] = [
  {
    name: 'a close at once that does not wait for a token which is owed',
    why: 'On 3.x the old token is acked and the new one is not published: the lock stands still until a probe finds out.',
    edits: [NOT_OWED],
    caughtBy: { harness: 'replacing', title: closing('at once') },
  },
  {
    name: 'a token that is being replaced is no hold for a close',
    why: 'The same, although the close had time to drain.',
    edits: [
      NOT_OWED,
      {
        file: 'src/acquire/handoff-group.ts',
        find: "at === 'verifying' || this.replaces || isLeaving(at)",
        replace: "at === 'verifying' || isLeaving(at)",
      },
    ],
    caughtBy: { harness: 'replacing', title: closing('with time to drain') },
  },
];

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Party, World } from './world.ts';

type Command =
  | { readonly do: 'up' | 'down' | 'save' | 'release' | 'give-up' | 'crash' | 'flow'; readonly who: number }
  | { readonly do: 'land'; readonly which: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'take-token' | 'take-register' | 'join' | 'quiet' };

const who = fc.nat(4);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('up' as const, 'down' as const), who }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('flow' as const), who }) },
  { weight: 7, arbitrary: fc.record({ do: fc.constant('save' as const), who }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('land' as const), which: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('release' as const, 'crash' as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('give-up' as const), who }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('take-token' as const, 'take-register' as const) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('join' as const) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('quiet' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(50, 250, 1_000, 5_000) }),
  },
);

function carryOut(world: World, each: Command): void {
  switch (each.do) {
    case 'join':
      if (world.parties.length < 6) world.join();
      break;
    case 'quiet':
      world.flow();
      break;
    case 'take-token':
      world.lock.takeBack();
      break;
    case 'take-register':
      world.register.takeBack();
      break;
    case 'pass':
      world.pass(each.ms);
      break;
    case 'land':
      world.parked.splice(each.which % Math.max(1, world.parked.length), 1)[0]?.();
      break;
    default: {
      const party = world.parties[each.who % world.parties.length];
      if (party !== undefined) act(party, each.do);
    }
  }
}

function act(party: Party, what: Extract<Command, { who: number }>['do']): void {
  if (what === 'up') party.toBroker.shift()?.();
  else if (what === 'down') party.toClient.shift()?.();
  else if (what === 'flow') party.flow();
  else if (what === 'crash') party.crash();
  else if (what === 'give-up') party.feed({ type: 'give-up' });
  else if (party.holds && what === 'save') party.save();
  else if (party.holds) party.feed({ type: 'release' });
}

test('a confirmed save is never undone, whatever is late, lost or taken back, and everybody is served in the end', {
  timeout: 30_000,
}, () => {
  let [grants, confirmed] = [0, 0];
  fc.assert(
    fc.property(fc.array(command, { minLength: 10, maxLength: 120 }), (commands) => {
      const world = new World();
      world.join();
      world.join();
      for (const each of commands) carryOut(world, each);
      world.settle();
      const last = world.join();
      world.settle();
      expect(last.isOver).toBe(true);
      grants += world.grants.length;
      confirmed += world.confirmed.length;
    }),
    { numRuns: 3_000 },
  );
  expect(grants).toBeGreaterThan(6_000);
  expect(confirmed).toBeGreaterThan(1_000);
});

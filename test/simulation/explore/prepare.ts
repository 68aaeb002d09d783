import { nextBase } from '../../../src/protocol/fence.ts';
import { mintToken, writeEntry } from '../client/record.ts';
import { openChannel, openConnection, send } from '../model/index.ts';
import { enabled } from '../scheduler/enabled.ts';
import { JUNK, outsiderChannel } from '../scheduler/faults.ts';
import type { Step } from '../scheduler/step.ts';
import { EPOCH_MS, type World } from '../world.ts';

/** The lock is there, with its token, all clients are connected and know the name. */
export function prepare(world: World, take: (step: Step) => void): void {
  const { model } = world;
  const channel = openChannel(model, openConnection(model));
  send(model, channel, { do: 'declare' });
  const wall = EPOCH_MS + model.now - 1;
  const { returns, entryReturns, prepared, state } = world.config;
  if (prepared === 'foreign message') {
    send(model, channel, { do: 'publish', label: 'junk#0', body: JUNK });
  } else {
    // Two clients had seeded, and the one that was first came last.
    const older =
      prepared === 'older seed behind' ? [mintToken(world, nextBase(wall - 1, 0n), wall - 1)] : [];
    const late =
      prepared === 'older seed on its way' ? mintToken(world, nextBase(wall - 1, 0n), wall - 1) : undefined;
    if (late !== undefined) send(model, outsiderChannel(world, 'lock'), { do: 'publish', ...late });
    const token = mintToken(world, nextBase(wall, 0n), wall);
    for (const seed of [{ ...token, returns }, ...older]) send(model, channel, { do: 'publish', ...seed });
  }
  if (state) {
    send(model, channel, { do: 'declare', of: 'register' });
    const seed = writeEntry(world, { fence: 0n, seq: 0 }, undefined);
    send(model, channel, { do: 'publish', of: 'register', ...seed, returns: entryReturns });
    if (entryReturns === undefined) {
      // Its holder died before it could ack the seed.
      const save = writeEntry(world, { fence: 1n, seq: 1 }, 0);
      send(model, channel, { do: 'publish', of: 'register', ...save, returns: 1 });
      world.checks.confirmed = [0];
    }
  }
  for (const client of world.clients) {
    const { id, lines } = client;
    client.record = { ...client.record, known: true, registerKnown: state === true };
    lines.locks.dialAt = model.now;
    lines.service.dialAt = model.now;
    for (const role of ['locks', 'service'] as const) take({ do: 'dial', client: id, role });
  }
  for (let [step] = enabled(world).due; step !== undefined; [step] = enabled(world).due) take(step);
  model.channels.delete(channel);
}

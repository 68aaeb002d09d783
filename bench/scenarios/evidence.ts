import { type Evidence, skippedRules } from '../peers/rabbitmq/rules.ts';
import { sum, type WireCounts } from '../peers/rabbitmq/wire-log.ts';
import { type Figures, RuleSkippedError, type Slice } from './scenario.ts';

interface Seen extends Pick<Evidence, 'grants' | 'givenUp' | 'holdMs'> {
  readonly further?: readonly string[];
}

/**
 * The frames per grant, for the peers that speak AMQP.
 * @throws RuleSkippedError
 */
export function wireFigures(
  { peer, server, case: it }: Slice,
  wires: readonly (WireCounts | undefined)[],
  { grants, givenUp, holdMs, further = [] }: Seen,
): Figures {
  const known = wires.filter((wire) => wire !== undefined);
  const counts = sum(known);
  if (peer.safe) {
    const brokerVersion = server.version.replace(/^\D+/, '');
    const skipped = [
      ...skippedRules({
        counts,
        grants,
        givenUp,
        holdMs,
        brokerVersion,
        localBatch: peer.options?.localBatch,
      }),
      ...further,
    ];
    if (skipped.length > 0) throw new RuleSkippedError(peer, it, skipped);
  }
  if (known.length === 0 || grants === 0) return {};
  return {
    framesPerGrant: (counts.framesSent + counts.framesReceived) / grants,
    publishesPerGrant: counts.publishes / grants,
    verificationsPerGrant: counts.verifications / grants,
  };
}

import type { WireCounts } from './wire-log.ts';

/** What the frames of a slice must show if every rule of the protocol was kept. */
export interface Evidence {
  readonly counts: WireCounts;
  /** As the callers saw it. */
  readonly grants: number;
  /** Waits that were given up when the slice ended: some may have been handed the token in that moment. */
  readonly givenUp: number;
  readonly brokerVersion: string;
  /** How long the callers keep it, in milliseconds. 0: they release it in the turn of the grant. */
  readonly holdMs: number;
  /** How many grants may share a channel. */
  readonly localBatch?: number | undefined;
}

/** One sentence for each rule that was skipped. */
export function skippedRules(evidence: Evidence): string[] {
  const { counts, grants, givenUp, brokerVersion, holdMs, localBatch = 1 } = evidence;
  const isVerified = verifiesBeforeGrant(brokerVersion);
  // An answer could not come before a release that is made in the turn of the grant.
  const asks = isVerified || holdMs > 0;
  const holds = Math.ceil(grants / localBatch);
  const skipped: string[] = [];
  const say = (wrong: boolean, sentence: string) => {
    if (wrong) skipped.push(sentence);
  };
  say(
    counts.taken < holds,
    `${grants} grants, but a token was delivered on only ${counts.taken} channels: at most ${localBatch} may share one`,
  );
  say(
    asks && counts.verifications < holds,
    `${grants} grants, but only ${counts.verifications} verifications: every hold that lasts must be asked for proof at once`,
  );
  say(
    asks && counts.unverified > givenUp,
    `${counts.unverified} holders closed their channel and had never asked for proof (${givenUp} may have given up)`,
  );
  say(
    isVerified && counts.unproven > givenUp,
    `${counts.unproven} holders closed before their first proof had come (${givenUp} may have given up): on RabbitMQ ${brokerVersion} a grant must await it`,
  );
  say(
    isVerified && counts.proofs < holds,
    `${grants} grants, but only ${counts.proofs} proofs: on RabbitMQ ${brokerVersion} the first grant of a channel must await one`,
  );
  say(counts.acks > 0, `${counts.acks} messages were acknowledged: the token must never be`);
  say(counts.cancels > 0, `${counts.cancels} consumers were cancelled: giving up must close the channel`);
  return skipped;
}

/** `grant: 'auto'` awaits the first proof below 4.3. */
function verifiesBeforeGrant(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < 4 || (major === 4 && minor < 3);
}

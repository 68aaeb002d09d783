import type { WireCounts } from './wire-log.ts';

/** What the frames of a slice must show if every rule of the protocol was kept. */
export interface Evidence {
  readonly counts: WireCounts;
  /** As the callers saw it. */
  readonly grants: number;
  /** Waits that were given up when the slice ended: some may have been handed the token in that moment. */
  readonly givenUp: number;
  readonly brokerVersion: string;
  /** How many grants may share a channel. */
  readonly localBatch?: number | undefined;
}

/** One sentence for each rule that was skipped. */
export function skippedRules({ counts, grants, givenUp, brokerVersion, localBatch = 1 }: Evidence): string[] {
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
    counts.verifications < holds,
    `${grants} grants, but only ${counts.verifications} verifications: every hold must be asked for proof at once`,
  );
  say(
    counts.unverified > givenUp,
    `${counts.unverified} holders closed their channel and had never asked for proof (${givenUp} may have given up)`,
  );
  say(
    verifiesBeforeGrant(brokerVersion) && counts.unproven > givenUp,
    `${counts.unproven} holders closed before their first proof had come (${givenUp} may have given up): on RabbitMQ ${brokerVersion} a grant must await it`,
  );
  say(
    verifiesBeforeGrant(brokerVersion) && counts.proofs < grants,
    `${grants} grants, but only ${counts.proofs} proofs: on RabbitMQ ${brokerVersion} a grant must await one`,
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

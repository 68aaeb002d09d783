import type { BrokerTraits } from './port.ts';

type Version = BrokerTraits['version'];

/** From 4.3 on nacks are counted apart, a dropped link between nodes hands nothing over, and the log of a token is truncated. */
export const isBelow43 = ([major, minor]: Version): boolean => major < 4 || (major === 4 && minor < 3);

/**
 * Whether a broker attaches consumers, without a word, to a queue that was recreated within 30 ms of the deletion of
 * their own, and basic.qos with the global flag keeps it from that, so that it cancels them. Measured on 3.10.8, 0 to
 * 20 ms after the deletion: cancelled 75 of 75 with it and 0 of 75 without. From 3.13 on the flag is deprecated, and a
 * broker can refuse it by ending the connection.
 */
export const forgetsConsumers = ([major, minor]: Version): boolean => major === 3 && minor < 13;

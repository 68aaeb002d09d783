import { describe, expect, it } from 'vitest';
import {
  advance,
  type ClientFrame,
  createModel,
  dropLink,
  endConnection,
  type Model,
  openChannel,
  openConnection,
  receive,
  restoreLink,
  type ServerFrame,
  send,
  setAlarm,
  settle,
  suspectNode,
  type Version,
} from '../model/index.ts';

/** Everything that the client of a channel reads once the broker has come to rest. */
function heard(model: Model, channel: number): string[] {
  settle(model);
  const frames: ServerFrame[] = [];
  for (let frame = receive(model, channel); frame !== undefined; frame = receive(model, channel)) {
    frames.push(frame);
  }
  return frames.map((frame) => {
    if (frame.is === 'deliver') return `${frame.message.label}+${frame.message.returns}`;
    return frame.is === 'declare-ok' ? `${frame.ready}/${frame.consumers}` : frame.is;
  });
}

function say(model: Model, channel: number, ...frames: readonly ClientFrame[]): string[] {
  for (const frame of frames) send(model, channel, frame);
  return heard(model, channel);
}

const publish = (label: string, expirationMs?: number): ClientFrame => {
  return { do: 'publish', label, body: new Uint8Array(), expirationMs };
};

/** A queue with a token; a second node for those who want one. */
function withToken(version: Version): { model: Model; service: number; on(node: number): number } {
  const model = createModel(version, 2);
  const service = openChannel(model, openConnection(model));
  say(model, service, { do: 'declare' }, publish('token'));
  return { model, service, on: (node) => openChannel(model, openConnection(model, node)) };
}

const VERSIONS: readonly Version[] = ['3.10', '4.0', '4.3'];

describe.each(VERSIONS)('the model of RabbitMQ %s', (version) => {
  it('returns the token to the head, counts it, and serves the longest waiter', () => {
    const { model, service, on } = withToken(version);
    const [first, second] = [on(0), on(0)];
    expect(say(model, first, { do: 'consume' })).toEqual(['consume-ok', 'token+0']);
    expect(say(model, second, { do: 'consume' })).toEqual(['consume-ok']);
    say(model, service, publish('foreign'));
    expect(say(model, first, { do: 'requeue', deliveryTag: 1 })).toEqual(['token+1']);
    expect(say(model, first, { do: 'close' })).toEqual(['close-ok']);
    expect(heard(model, second)).toEqual([version === '4.3' ? 'token+3' : 'token+2']);
  });

  it('leaves the token with a cancelled consumer and hands the next one what lies behind it', () => {
    const { model, service, on } = withToken(version);
    const [first, second] = [on(0), on(0)];
    say(model, service, publish('seed'));
    say(model, first, { do: 'consume' });
    expect(say(model, first, { do: 'cancel' })).toEqual(['cancel-ok']);
    expect(say(model, second, { do: 'consume' })).toEqual(['consume-ok', 'seed+0']);
    expect(say(model, service, { do: 'look' })).toEqual(['0/2']);
  });

  it('stalls what is published during an alarm, and nothing else', () => {
    const { model, service, on } = withToken(version);
    setAlarm(model, true);
    expect(say(model, service, publish('late'), { do: 'look' })).toEqual([]);
    expect(say(model, on(0), { do: 'consume' })).toEqual(['consume-ok', 'token+0']);
    setAlarm(model, false);
    expect(heard(model, service)).toEqual(['confirm', '1/1']);
  });

  it('drops an expired message at the head, and one behind the token with it later', () => {
    const { model, service, on } = withToken(version);
    say(model, service, publish('probe', 3_000));
    advance(model, 3_000);
    expect(say(model, service, { do: 'look' })).toEqual(['2/0']);
    say(model, on(0), { do: 'consume' });
    expect(say(model, service, { do: 'look' })).toEqual(['0/1']);
  });

  it('ends a consumer of a queue that is not there, and one that settles what it was not given', () => {
    const { model, service, on } = withToken(version);
    expect(say(model, on(0), { do: 'consume' }, { do: 'ack', deliveryTag: 9 })).toContain('closed');
    say(model, service, { do: 'delete' });
    expect(say(model, on(0), { do: 'consume' })).toEqual(['closed']);
  });

  it('tells of a deletion at once, or on 3.10 after 30 ms', () => {
    const { model, service, on } = withToken(version);
    const holder = on(0);
    say(model, holder, { do: 'consume' });
    expect(say(model, service, { do: 'delete' })).toEqual(['delete-ok']);
    expect(heard(model, holder)).toEqual(version === '3.10' ? [] : ['cancel']);
    advance(model, 30);
    expect(heard(model, holder)).toEqual(version === '3.10' ? ['cancel'] : []);
  });

  it('answers a look with nothing while the leader is out of reach', () => {
    const { model, on } = withToken(version);
    const far = on(1);
    dropLink(model, 1, { lose: false });
    expect(say(model, far, { do: 'look' })).toEqual(['0/0']);
  });
});

describe('a link that drops and comes back', () => {
  it('below 4.3 hands the token over at once, tells nobody, and the old holder may be handed it again', () => {
    const { model, on } = withToken('4.0');
    const [old, next] = [on(1), on(0)];
    say(model, old, { do: 'consume' });
    say(model, next, { do: 'consume' });
    expect(heard(model, old)).toEqual(['consume-ok', 'token+0'].slice(2));
    dropLink(model, 1, { lose: false });
    expect(heard(model, next)).toEqual(['token+1']);
    restoreLink(model, 1);
    expect(heard(model, old)).toEqual([]);
    say(model, next, { do: 'close' });
    expect(heard(model, old)).toEqual(['token+2']);
  });

  it('on 4.3 hands nothing over until the node is given up', () => {
    const { model, on } = withToken('4.3');
    const [old, next] = [on(1), on(0)];
    say(model, old, { do: 'consume' });
    say(model, next, { do: 'consume' });
    dropLink(model, 1, { lose: false });
    expect(heard(model, next)).toEqual([]);
    suspectNode(model, 1);
    expect(heard(model, next)).toEqual(['token+1']); // counted like a nack
  });

  it('lets a publish that was stuck land late', () => {
    const { model, service, on } = withToken('4.0');
    const far = on(1);
    dropLink(model, 1, { lose: false });
    expect(say(model, far, publish('stuck'))).toEqual([]);
    restoreLink(model, 1);
    expect(heard(model, far)).toEqual(['confirm']);
    expect(say(model, service, { do: 'look' })).toEqual(['2/0']);
  });
});

describe('3.10', () => {
  it('attaches a waiter to a queue that is recreated within 30 ms, and what it is handed is lost to it', () => {
    const { model, service, on } = withToken('3.10');
    const waiter = on(0);
    say(model, waiter, { do: 'consume' });
    say(model, service, { do: 'delete' }, { do: 'declare' });
    advance(model, 30);
    expect(say(model, service, publish('new'))).toEqual(['confirm']);
    expect(heard(model, waiter)).toEqual([]);
    expect(say(model, service, { do: 'look' })).toEqual(['0/1']);
  });

  it('destroys the token at its first return with a limit of -1, and 4.0 at the 21st without one', () => {
    for (const [version, args, survives] of [
      ['3.10', { 'x-delivery-limit': -1 }, 0],
      ['4.0', { 'x-delivery-limit': -1 }, 30],
      ['4.0', {}, 20],
    ] as const) {
      const model = createModel(version, 1, args);
      const service = openChannel(model, openConnection(model));
      say(model, service, { do: 'declare' }, publish('token'));
      let returns = 0;
      for (; returns < 30; returns += 1) {
        const connection = openConnection(model);
        const held = say(model, openChannel(model, connection), { do: 'consume' });
        if (held.length < 2) break;
        endConnection(model, connection);
      }
      expect(returns).toBe(survives === 30 ? 30 : survives + 1);
    }
  });
});

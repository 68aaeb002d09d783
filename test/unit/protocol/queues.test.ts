import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  consumerTag,
  contenderId,
  isQueueOf,
  lockNameOf,
  lockPlace,
  lockQueueArguments,
  lockQueueName,
  noticeQueueName,
  queueKind,
  queueMeant,
  queuePattern,
  readConsumerTag,
  registerNameOf,
  registerQueueName,
  slotOf,
} from '../../../src/protocol/queues.ts';

const bytes = (text: string) => Buffer.byteLength(text, 'utf8');
const character = fc.integer({ min: 0, max: 0x10ffff }).filter((code) => code < 0xd800 || code > 0xdfff);
const anyCharacter = fc.oneof(
  fc.constantFrom(..."%#:/@.*?~!()'-_ aAzZ09éñ語𝕏\u0000\uffff2F3A25"),
  character.map((code) => String.fromCodePoint(code)),
);
const lockName = fc.string({ unit: anyCharacter, minLength: 1, maxLength: 255 });
/** Many names that nearly are each other: few characters, those that escaping uses. */
const tricky = fc.string({
  unit: fc.constantFrom('%', '2', '5', 'F', '3', 'A', ':', '/', '#', '.'),
  minLength: 1,
  maxLength: 6,
});
const namespace = fc.stringMatching(/^[A-Za-z0-9_-]{1,32}$/);

describe('queue name', () => {
  test('tells its kind and its namespace, whatever the lock is called', () => {
    fc.assert(
      fc.property(namespace, lockName, (space, name) => {
        const queues = {
          lock: lockQueueName(space, name),
          slot: lockPlace(space, name, 64).queue,
          state: registerQueueName(space, name),
          notices: noticeQueueName(space, 'id'),
        } as const;
        for (const [kind, queue] of Object.entries(queues)) {
          expect(queueKind(queue)).toBe(kind);
          for (const asked of ['lock', 'slot', 'state', 'notices'] as const) {
            expect(isQueueOf(space, queue, asked)).toBe(asked === kind);
            expect(new RegExp(queuePattern(space, asked)).test(queue)).toBe(asked === kind);
            expect(isQueueOf(`${space}x`, queue, asked)).toBe(false);
          }
        }
        const longer = `${name}${'x'.repeat(255)}`;
        for (const of of [[...name].slice(0, 9).join(''), longer]) {
          const listed = lockNameOf(space, lockQueueName(space, of));
          expect(registerNameOf(space, registerQueueName(space, of))).toBe(listed);
        }
        expect(registerNameOf(space, queues.lock)).toBeUndefined();
      }),
    );
    expect(['baton.x', 'baton.x.locks.y', 'amq.x.lock.y', 'baton.lock.x', ''].map(queueKind)).toEqual(
      Array(5).fill(undefined),
    );
  });

  test('is what is meant by the words that stand for it in a list, and by no other words', () => {
    const long = lockQueueName('x', 'y'.repeat(255));
    expect(queueMeant('x', lockNameOf('x', long) ?? '', undefined)).toBe(long);
    expect(queueMeant('x', long, 8)).toBe(long);
    const { queue, tokenName } = lockPlace('x', 'a', 64);
    expect(queueMeant('x', tokenName, undefined)).toBe(queue);
    expect(queueMeant('x', queue, 8)).toBe(queue);
    for (const words of ['a', '#a', 'baton.other.lock.a', 'baton.x.state.a', '1-of', `${tokenName}x`]) {
      expect(queueMeant('x', words, undefined)).toBeUndefined();
    }
    expect(queueMeant('x', tokenName, 8)).toBeUndefined();
  });

  test('is baton.<namespace>.lock.<name>, with : / @ readable and the rest percent-encoded', () => {
    expect(lockQueueName('default', 'invoice:42')).toBe('baton.default.lock.invoice:42');
    expect(lockQueueName('p', 'a/b@c d%é#')).toBe('baton.p.lock.a/b@c%20d%25%C3%A9%23');
  });

  test('fits an AMQP short string, in printable ASCII, for every name of 1 to 255 characters and every namespace', () => {
    fc.assert(
      fc.property(namespace, lockName, (space, name) => {
        const queue = lockQueueName(space, name);
        expect(bytes(queue)).toBeLessThanOrEqual(255);
        expect(queue).toMatch(/^[\x21-\x7e]+$/);
        expect(queue.startsWith(`baton.${space}.lock.`)).toBe(true);
        expect(lockQueueName(space, name)).toBe(queue);
      }),
      { numRuns: 500 },
    );
    for (const unit of ['a', 'é', '語', '𝕏', '%', '\u0000']) {
      for (const length of [1, 60, 100, 200, 235, 236, 237, 254, 255]) {
        expect(bytes(lockQueueName('n'.repeat(32), unit.repeat(length)))).toBeLessThanOrEqual(255);
      }
    }
  });

  test('differs for names that look like an escape of each other', () => {
    const names = [
      '%3A',
      ':',
      '%253A',
      '%25',
      '%',
      '%2F',
      '/',
      '%40',
      '@',
      '#',
      '%23',
      '%2523',
      '%3a',
      'a',
      'A',
      '+',
      ' ',
      '%20',
    ];
    expect(new Set(names.map((name) => lockQueueName('x', name))).size).toBe(names.length);
  });

  test('differs for names that are a prefix of each other, at every length from 1 to 255', () => {
    for (const unit of ['a', '語', '%', '#']) {
      const queues = Array.from({ length: 255 }, (_, index) => lockQueueName('x', unit.repeat(index + 1)));
      expect(new Set(queues).size).toBe(255);
    }
  });

  test('differs for long names that differ only at their end, or only beyond what is kept readable', () => {
    const long = 'é'.repeat(254);
    const queues = ['a', 'b', 'A', 'é'].map((end) => lockQueueName('x', long + end));
    expect(new Set(queues).size).toBe(4);
    const inTheMiddle = ['a', 'b'].map((change) =>
      lockQueueName('x', 'y'.repeat(150) + change + 'y'.repeat(104)),
    );
    expect(new Set(inTheMiddle).size).toBe(2);
    expect(inTheMiddle[0]?.slice(-100)).toBe(inTheMiddle[1]?.slice(-100));
  });

  test('of a short name is never that of a long one, even if the short one is spelled like a cut-off one', () => {
    const long = lockQueueName('x', 'y'.repeat(255)).slice('baton.x.lock.'.length);
    expect(long).toMatch(/^#[A-Za-z0-9_-]{43}\.y{100}$/);
    expect(lockQueueName('x', long)).not.toContain(long);
    expect(lockQueueName('x', long)).not.toBe(lockQueueName('x', 'y'.repeat(255)));
  });

  test('of a long name is the same on every machine and in every version: it is a wire format', () => {
    expect(lockQueueName('x', 'y'.repeat(255))).toBe(
      `baton.x.lock.#NvOuofyjFPe0zvgcQjwaBV7Sz7h-Oagov89k5mDWlHA.${'y'.repeat(100)}`,
    );
  });

  test('differs between namespaces, also when a name contains what looks like another namespace', () => {
    const queues = [
      lockQueueName('a', 'b.lock.c'),
      lockQueueName('a', 'c'),
      lockQueueName('b', 'c'),
      lockQueueName('lock', 'c'),
      lockQueueName('a', 'lock.c'),
      lockQueueName('a-lock', 'c'),
      lockQueueName('a', 'baton.a.lock.c'),
    ];
    expect(new Set(queues).size).toBe(queues.length);
  });

  test.each<[string, fc.Arbitrary<string>]>([
    ['any names', lockName],
    ['names that look escaped', tricky],
    ['long names', lockName.map((name) => 'x'.repeat(200) + name)],
  ])('is never shared by two locks: %s', (_what, names) => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(namespace, names), { selector: String, maxLength: 60 }),
        (locks) => {
          const pairs = locks.flatMap(([space, name]) => [`${space}\u0000${name}`, `other\u0000${name}`]);
          const queues = locks.flatMap(([space, name]) => [
            lockQueueName(space, name),
            lockQueueName('other', name),
          ]);
          expect(new Set(queues).size).toBe(new Set(pairs).size);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('queue arguments', () => {
  test('are exactly the wire format: quorum, single active consumer, a large delivery limit', () => {
    expect(lockQueueArguments()).toStrictEqual({
      'x-queue-type': 'quorum',
      'x-single-active-consumer': true,
      'x-delivery-limit': 1_000_000_000,
    });
  });

  test('are a fresh object each time, so that nobody can change them for others', () => {
    expect(lockQueueArguments()).not.toBe(lockQueueArguments());
  });
});

describe('idle expiry', () => {
  test('is x-expires, in milliseconds, and no argument at all when it is Infinity', () => {
    expect(lockQueueArguments(60_000)).toStrictEqual({ ...lockQueueArguments(), 'x-expires': 60_000 });
    expect(lockQueueArguments(Number.POSITIVE_INFINITY)).toStrictEqual(lockQueueArguments());
  });
});

describe('slots', () => {
  test('are the first six bytes of the SHA-256 of the name, modulo their number, as the protocol page has it', () => {
    expect(lockPlace('default', 'invoice:42', 64)).toStrictEqual({
      queue: 'baton.default.slot.26-of-64',
      tokenName: '26-of-64',
    });
    expect(lockPlace('billing', 'Grüße', 64).queue).toBe('baton.billing.slot.6-of-64');
    expect(lockPlace('default', 'invoice:42', 10_000).queue).toBe('baton.default.slot.1018-of-10000');
    expect(lockPlace('default', 'invoice:42', 1).queue).toBe('baton.default.slot.0-of-1');
  });

  test('are all used, evenly, and never left, whatever the names', () => {
    fc.assert(
      fc.property(lockName, fc.integer({ min: 1, max: 10_000 }), (name, slots) => {
        const slot = slotOf(name, slots);
        expect(Number.isInteger(slot) && slot >= 0 && slot < slots).toBe(true);
      }),
    );
    const counts = new Array<number>(64).fill(0);
    for (let i = 0; i < 64_000; i += 1) {
      const slot = slotOf(`job:${i}`, 64);
      counts[slot] = (counts[slot] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(850);
    expect(Math.max(...counts)).toBeLessThan(1_150);
  });

  test('have queues that no name of any namespace has, nor another number of slots', () => {
    fc.assert(
      fc.property(namespace, namespace, lockName, lockName, (space, other, name, second) => {
        expect(lockPlace(space, name, 64).queue).not.toBe(lockPlace(other, second, undefined).queue);
        expect(lockPlace(space, name, 64).queue).not.toBe(lockPlace(space, name, 65).queue);
      }),
    );
  });

  test('are none by default: the queue is that of the name, and so is the name of the token', () => {
    const name = 'invoice:42';
    expect(lockPlace('x', name, undefined)).toStrictEqual({
      queue: lockQueueName('x', name),
      tokenName: name,
    });
  });
});

describe('consumer tag', () => {
  const text = fc.string({ unit: anyCharacter, maxLength: 300 });

  test('says service, host, process, id and lock', () => {
    const identity = { service: 'billing', host: 'web-1', pid: 4711 };
    expect(consumerTag(identity, 'abcdef012345', 'invoice:42')).toBe(
      'billing@web-1/4711/abcdef012345/invoice:42',
    );
  });

  test('fits an AMQP short string in printable ASCII for any service, host, process and lock, and keeps the id', () => {
    fc.assert(
      fc.property(text, text, fc.nat(2 ** 31 - 1), lockName, (service, host, pid, name) => {
        const tag = consumerTag({ service, host, pid }, 'abcdef012345', name);
        expect(bytes(tag)).toBeLessThanOrEqual(255);
        expect(tag).toMatch(/^[\x21-\x7e]*$/);
        expect(tag).toContain(`/${pid}/abcdef012345/`);
      }),
      { numRuns: 500 },
    );
  });

  test('differs between two attempts that share everything but their id', () => {
    const identity = { service: '語'.repeat(64), host: 'h'.repeat(255), pid: 1 };
    const name = '𝕏'.repeat(255);
    expect(consumerTag(identity, 'aaaaaaaaaaaa', name)).not.toBe(consumerTag(identity, 'bbbbbbbbbbbb', name));
  });
});

describe('what a tag tells', () => {
  const id = contenderId(1_893_456_000_123.9, '01930b4c-7a3e-7c55-9d1f-0a1b2c3d4e5f');
  // A service that itself looks like a tag cannot be told from one.
  const printable = fc
    .string({ unit: anyCharacter, minLength: 1, maxLength: 20 })
    .filter((service) => !/@.*\/\d+\//s.test(service));

  test('an id is the time in 12 hex digits, and 6 more that tell two of one millisecond apart', () => {
    expect(id).toBe('01b8dac5b47b3d4e5f');
    expect(contenderId(-1, 'abcdef')).toBe('000000000000abcdef');
  });

  test('is read back for every service, host and process, with when its place in line was taken', () => {
    fc.assert(
      fc.property(
        printable,
        fc.constantFrom('web-1', '語.example'),
        fc.nat(),
        lockName,
        (service, host, pid, name) => {
          const claim = readConsumerTag(consumerTag({ service, host, pid }, id, name));
          // A long service is cut, perhaps in the middle of a character.
          if (encodeURIComponent(service).length > 96) return;
          expect(claim).toEqual({
            service,
            host,
            pid,
            since: 1_893_456_000_123,
            lock: expect.any(String),
          });
          // And with the lock's name, or its beginning.
          const lock = claim?.lock ?? '';
          if (lock !== name)
            expect(`${name}…`.startsWith(lock.slice(0, -1)) && lock.endsWith('…')).toBe(true);
        },
      ),
    );
  });

  test('is less for other clients, and nothing for a tag of another kind', () => {
    expect(readConsumerTag('billing@web-1/4711/3f9c0d2ab41e/x')).toEqual({
      service: 'billing',
      host: 'web-1',
      pid: 4711,
      since: undefined,
      lock: 'x',
    });
    for (const tag of ['amq.ctag-1', 'doctor/1', 'a@b', 'a@b/c/d/e', ''])
      expect(readConsumerTag(tag)).toBeUndefined();
  });

  test('a lock’s name is read from its queue, in its own namespace only; of a long one the hash is left', () => {
    fc.assert(
      fc.property(lockName, (name) => {
        const queue = lockQueueName('ns', name);
        const rest = queue.slice('baton.ns.lock.'.length);
        expect(lockNameOf('ns', queue)).toBe(rest.startsWith('#') ? rest : name);
      }),
    );
    expect(lockNameOf('ns', lockQueueName('other', 'x'))).toBeUndefined();
    expect(lockNameOf('ns', 'baton.ns.notices.x')).toBeUndefined();
  });
});

import { TestBroker } from '../../../src/testing/index.ts';
import { cannot, type Harness, type QueueAccess } from '../contract.ts';

/** When the in-memory broker gives up a silent client: as late as RabbitMQ does with a heartbeat of 1 s. */
const DROP_MS = 2_500;

/** The in-memory broker of `batonmq/testing`, on the system's clock. */
export const memory: Harness = {
  name: 'in memory',
  can: new Set(['line', 'alarm', 'restart', 'take-back', 'counts-apart']),
  async scene(lock, onEnd) {
    const broker = new TestBroker();
    const address = { name: lock };
    const access = (part: 'lock' | 'register'): QueueAccess => {
      const queue = { name: lock, part };
      return {
        async put(body, options) {
          broker.publish(queue, Buffer.from(body), options);
        },
        purge: async () => broker.purgeLock(queue),
        replace: () => cannot('declare queues'),
        async remove() {
          broker.deleteLock(queue);
          // To make a quorum queue takes a real broker several milliseconds, and a base is a millisecond's.
          await new Promise((resolve) => setTimeout(resolve, 2));
        },
        ready: async () => broker.readyMessages(queue),
        exists: async (lock = queue) => broker.exists(lock),
      };
    };
    return {
      lock,
      url: 'memory',
      async connect(options) {
        const coordinator = broker.connect(options);
        onEnd(() => coordinator.close({ drainMs: 0 }));
        return coordinator;
      },
      queue: access('lock'),
      register: access('register'),
      forget: async () => {}, // the whole broker goes with the test
      line(coordinator) {
        const line = broker.line(coordinator);
        let drop: NodeJS.Timeout | undefined;
        onEnd(() => clearTimeout(drop));
        return {
          freeze() {
            line.freeze();
            drop = setTimeout(() => line.dropFrozen(), DROP_MS);
          },
          thaw() {
            clearTimeout(drop);
            line.thaw();
          },
          reset: () => line.disconnect(),
        };
      },
      alarm: async (on) => broker.alarm(on),
      restart: async () => broker.restart(),
      declareQueue: () => cannot('declare queues'),
      takeBack: (part) => broker.takeBack({ name: lock, part }),
      destroyToken: () => broker.destroyToken(address),
      proxy: () => cannot('count frames'),
      process: () => cannot('start processes'),
      get control() {
        return cannot('administer a broker');
      },
    };
  },
};

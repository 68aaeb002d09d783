import { connect } from '../../../src/index.ts';
import { isBelow43 } from '../../../src/protocol/versions.ts';
import { type SharedBroker, sharedBroker } from '../../support/broker/index.ts';
import { startProgram } from '../../support/processes.ts';
import { type FaultProxy, openProxy } from '../../support/proxy.ts';
import { type Capability, cannot, type Harness, type Scene } from '../contract.ts';
import { openQueueAccess } from './queue-access.ts';

/** The broker of this run, straight. */
export const rabbitmq: Harness = {
  name: 'RabbitMQ',
  can: new Set<Capability>(['processes', ...whatBrokerCan()]),
  scene: (lock, onEnd) => brokerScene(lock, onEnd, undefined),
};

/** The same broker, each coordinator through a TCP proxy of its own in this process. */
export const proxied: Harness = {
  name: 'RabbitMQ behind a proxy',
  can: new Set<Capability>(['line', 'frames', ...whatBrokerCan()]),
  scene: (lock, onEnd) => brokerScene(lock, onEnd, new Map()),
};

function whatBrokerCan(): Capability[] {
  const { control, version } = sharedBroker();
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const apart: Capability[] = isBelow43([major, minor, 0]) ? [] : ['counts-apart'];
  return control === undefined ? apart : [...apart, 'alarm', 'restart', 'administration'];
}

async function brokerScene(
  lock: string,
  onEnd: (cleanup: () => unknown) => void,
  proxies: Map<object, FaultProxy> | undefined,
): Promise<Omit<Scene, 'onEnd'>> {
  const broker = sharedBroker();
  const queues = await openQueueAccess(broker.url, lock, onEnd);
  const proxyOf = (coordinator: object): FaultProxy => proxies?.get(coordinator) ?? cannot('touch this line');
  return {
    lock,
    url: broker.url,
    async connect(options) {
      const proxy = proxies === undefined ? undefined : await openProxy(broker.url);
      if (proxy !== undefined) onEnd(() => proxy.close());
      const coordinator = await connect(proxy?.url ?? broker.url, options);
      onEnd(() => coordinator.close({ drainMs: 0 }));
      if (proxy !== undefined) proxies?.set(coordinator, proxy);
      return coordinator;
    },
    ...queues,
    line: (coordinator) => proxyOf(coordinator),
    proxy: proxyOf,
    async process(options) {
      const program = startProgram(new URL('../programs/contender.ts', import.meta.url), {
        env: { CONTENDER_URL: broker.url, CONTENDER_OPTIONS: JSON.stringify(options ?? {}) },
      });
      onEnd(() => program.kill());
      await program.next((message: { type?: string }) => message.type === 'ready', {
        what: 'its connection',
      });
      return program;
    },
    alarm: (on) => changeAlarm(broker, on, onEnd),
    restart: async () => (broker.control ?? cannot('restart')).restart(),
    takeBack: () => cannot('take a token back'),
    destroyToken: () => cannot('destroy a token'),
    get control() {
      return broker.control ?? cannot('administer the broker');
    },
  };
}

async function changeAlarm(
  broker: SharedBroker,
  on: boolean,
  onEnd: (cleanup: () => unknown) => void,
): Promise<void> {
  const control = broker.control ?? cannot('raise an alarm');
  if (!on) return control.clearMemoryAlarm();
  onEnd(() => control.clearMemoryAlarm());
  await control.raiseMemoryAlarm();
}

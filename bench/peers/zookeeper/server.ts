import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ANSWER_MS, type Place, places, startDaemon } from '../daemon.ts';
import type { ServerKind } from '../peer.ts';

const CLASSPATH = '/usr/share/java/zookeeper.jar';

export const zookeeper: ServerKind = {
  packages: ['zookeeper', 'default-jre-headless'],
  installed: CLASSPATH,
  start: async ({ nodes }) => {
    const all = await places(nodes);
    await Promise.all(all.map((place, index) => writeHome(place, index, all)));
    const modes = () => Promise.all(all.map(({ ports }) => modeOf(ports[0])));
    return startDaemon({
      name: 'ZooKeeper',
      package: 'zookeeper',
      places: all,
      command: ({ folder }) => [
        ...['java', '-cp', `${folder}:${CLASSPATH}`, '-Djava.net.preferIPv4Stack=true'],
        ...['org.apache.zookeeper.server.quorum.QuorumPeerMain', join(folder, 'zoo.cfg')],
      ],
      url: ({ ports }) => `127.0.0.1:${ports[0]}`,
      ready: async () => {
        if (!(await modes()).every((mode) => mode !== undefined)) throw new Error('not every node serves');
      },
      leader: async () => (await modes()).indexOf('leader'),
    });
  },
};

/** As in Debian's own zoo.cfg, but for folders and addresses. */
async function writeHome({ folder, ports }: Place, index: number, all: readonly Place[]): Promise<void> {
  const data = join(folder, 'data');
  await mkdir(data);
  await writeFile(join(data, 'myid'), String(index + 1));
  const peers = all.map((place, at) => `server.${at + 1}=127.0.0.1:${place.ports[1]}:${place.ports[2]}`);
  const lines = [
    ...['tickTime=2000', 'initLimit=10', 'syncLimit=5', 'admin.enableServer=false'],
    ...[`dataDir=${data}`, 'clientPortAddress=127.0.0.1', `clientPort=${ports[0]}`],
    ...(all.length > 1 ? peers : []),
  ];
  await writeFile(join(folder, 'zoo.cfg'), `${lines.join('\n')}\n`);
  const logging = [
    ...['log4j.rootLogger=WARN, CONSOLE', 'log4j.appender.CONSOLE=org.apache.log4j.ConsoleAppender'],
    'log4j.appender.CONSOLE.layout=org.apache.log4j.PatternLayout',
  ];
  await writeFile(join(folder, 'log4j.properties'), `${logging.join('\n')}\n`);
}

/** `standalone`, `leader` or `follower`; undefined when the node does not serve. */
async function modeOf(port: number): Promise<string | undefined> {
  const socket = connect({ host: '127.0.0.1', port });
  // A node that is half dead takes the connection and never answers.
  socket.setTimeout(ANSWER_MS, () => socket.destroy());
  socket.end('srvr');
  const answer = await text(socket).catch(() => '');
  return /^Mode: (\w+)/m.exec(answer)?.[1];
}

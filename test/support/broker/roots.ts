import { existsSync } from 'node:fs';

/**
 * Mounts what programs expect, in a mount namespace of their own: the mounts vanish with the process, so none is
 * left behind after a crash, and removing the cache folder can never reach into the machine's /dev.
 */
const MOUNT_AND_CHROOT =
  'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"';

export interface EnterOptions {
  /** Linux kills the process when its parent is gone, should the parent have had no chance to do so. */
  readonly dieWithParent?: boolean;
}

/** The command line that runs a command inside a root (`/`: as it is). */
export function enterRoot(root: string, command: readonly string[], options: EnterOptions = {}): string[] {
  const leash =
    options.dieWithParent && existsSync('/usr/bin/setpriv')
      ? ['/usr/bin/setpriv', '--pdeathsig', 'KILL', '--']
      : [];
  if (root === '/') return [...leash, ...command];
  return [
    ...leash,
    'unshare',
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-c',
    MOUNT_AND_CHROOT,
    root,
    ...command,
  ];
}

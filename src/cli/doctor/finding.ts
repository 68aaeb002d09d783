/** `note`: worth knowing, nothing to do. `warning`: works, and will not under some fault. `problem`: does not work. */
export type Level = 'ok' | 'note' | 'warning' | 'problem';

/** One thing that `baton doctor` looked at. */
export interface Finding {
  /** What was looked at; stable, for `--json`. */
  readonly check: string;
  readonly level: Level;
  /** What was found, and what it means. */
  readonly says: string;
  /** A command that mends it. */
  readonly fix?: string;
  /** All of what it was found, when it is of several. */
  readonly all?: readonly string[];
}

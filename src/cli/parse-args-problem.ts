/**
 * What `parseArgs` does not take, in our words: its own sentences give advice that does not fit, over several lines.
 * Undefined for every other error.
 */
export function parseArgsProblem(error: unknown, command: string): string | undefined {
  if (!(error instanceof TypeError)) return undefined;
  const see = `see baton ${command} --help`;
  const [, quoted = ''] = /'([^']*)'/.exec(error.message) ?? [];
  const option = quoted.replace(/^-\w, | <value>$/g, '');
  switch (Reflect.get(error, 'code')) {
    case 'ERR_PARSE_ARGS_UNKNOWN_OPTION':
      return `there is no option ${option}; ${see}`;
    case 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL':
      return `options only, got ${JSON.stringify(quoted)}; ${see}`;
    case 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE':
      if (error.message.includes('does not take an argument')) return `${option} takes no value; ${see}`;
      if (error.message.includes('ambiguous'))
        return `${option} needs a value; one that begins with a dash is given as ${option}=-…`;
      return `${option} needs a value; ${see}`;
    default:
      return undefined;
  }
}

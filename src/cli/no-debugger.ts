/**
 * Imported for its effect, before everything else: SIGUSR1 opens Node's debugger, which lets everybody on the machine
 * run code in this process, until somebody listens to it.
 */
process.on('SIGUSR1', () => {});

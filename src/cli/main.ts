#!/usr/bin/env node
// All else is loaded after it: the static imports of a module are loaded, all of them, before the first one is run.
import './no-debugger.ts';

const { dispatch } = await import('./dispatch.ts');
// Not by letting the event loop run empty: a broker that does not answer may not keep the command alive.
process.exit(await dispatch(process.argv.slice(2)));

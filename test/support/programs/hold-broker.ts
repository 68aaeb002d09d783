/** Provides a broker, tells its parent how to reach it, and then does nothing until it is killed. */
import { provideBroker } from '../broker/index.ts';

const broker = await provideBroker();
process.send?.({ handle: broker.handle });
setInterval(() => {}, 60_000);

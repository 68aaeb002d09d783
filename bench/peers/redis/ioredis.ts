import { load } from '../load.ts';

/** What is used of ioredis. */
export interface Redis {
  on(event: 'error', listener: () => void): void;
  disconnect(): void;
}

export async function connectRedis(url = ''): Promise<Redis> {
  const { Redis: Client } = await load<{ Redis: new (url: string) => Redis }>('ioredis');
  const client = new Client(url);
  client.on('error', () => {});
  return client;
}

/** A private node that takes OAuth 2 tokens, and the key that signs them. */
import { createSign, generateKeyPairSync } from 'node:crypto';
import { type ProvidedBroker, provideBroker } from './broker/index.ts';

const AUDIENCE = 'batonmq-test';
const KEY_ID = 'made-for-the-test';
const KEY_FILE = 'oauth-key.pem';

export interface Issuer {
  /** A signed token; `claims` override those of a token that gives every right. */
  token(lifeMs: number, claims?: Readonly<Record<string, unknown>>): string;
}

/** Undefined where brokers cannot be given a configuration of ours (BATON_URL, Docker). */
export async function provideOAuthBroker(): Promise<{ broker: ProvidedBroker; issuer: Issuer } | undefined> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const broker = await provideBroker({
    plugins: ['rabbitmq_auth_backend_oauth2'],
    config: (home) => [
      'auth_backends.1 = internal',
      'auth_backends.2 = rabbit_auth_backend_oauth2',
      `auth_oauth2.resource_server_id = ${AUDIENCE}`,
      `auth_oauth2.signing_keys.${KEY_ID} = ${home}/${KEY_FILE}`,
      `auth_oauth2.default_key = ${KEY_ID}`,
    ],
    files: { [KEY_FILE]: publicKey.export({ type: 'spki', format: 'pem' }).toString() },
  });
  if (broker.how === 'url' || broker.how === 'docker') {
    await broker.stop();
    return undefined;
  }
  return {
    broker,
    issuer: {
      token(lifeMs, claims = {}) {
        const now = Math.floor(Date.now() / 1_000);
        const rights = ['configure', 'write', 'read'].map((right) => `${AUDIENCE}.${right}:*/*`);
        const body = {
          sub: 'worker',
          aud: [AUDIENCE],
          scope: rights,
          iat: now,
          exp: now + Math.ceil(lifeMs / 1_000),
          ...claims,
        };
        const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
        const signed = `${part({ alg: 'RS256', typ: 'JWT', kid: KEY_ID })}.${part(body)}`;
        return `${signed}.${createSign('RSA-SHA256').update(signed).sign(privateKey, 'base64url')}`;
      },
    },
  };
}

/** The broker's URL with a token for password; the token says who it is. */
export function withToken(url: string, token: string): string {
  const changed = new URL(url);
  changed.username = '';
  changed.password = token;
  return changed.href;
}

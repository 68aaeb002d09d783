import { decodeJson } from '../protocol/json.ts';

/** Of a JSON Web Token; not verified, because the broker does that. */
export interface Claims {
  /** Seconds since 1970. */
  readonly exp?: number | undefined;
  readonly sub?: string | undefined;
}

/** Nothing of what is no JSON Web Token. */
export function claimsOf(password: string): Claims {
  const [, payload, signature, ...more] = password.split('.');
  if (payload === undefined || signature === undefined || more.length > 0) return {};
  const claims = decodeJson(Buffer.from(payload, 'base64url'));
  if (typeof claims !== 'object' || claims === null) return {};
  const { exp, sub } = claims as Record<string, unknown>;
  return {
    exp: typeof exp === 'number' ? exp : undefined,
    sub: typeof sub === 'string' ? sub : undefined,
  };
}

/** Until when a password is good, in milliseconds since 1970; undefined when it does not say. */
export function expiryOf(password: string): number | undefined {
  const { exp } = claimsOf(password);
  return exp === undefined ? undefined : exp * 1_000;
}

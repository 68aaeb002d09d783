/** When a grant is given to the caller: see `ConnectOptions.grant`. */
export type GrantMode = 'auto' | 'verified' | 'immediate';

/**
 * Imports one of the packages of bench/package.json, which are not there when the project is checked: what is used of it
 * is described by the caller.
 */
export async function load<T>(name: string): Promise<T> {
  return (await import(name)) as T;
}

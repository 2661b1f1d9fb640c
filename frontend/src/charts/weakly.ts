/*
 * A function whose answers are kept as long as what they were worked out from. The one invariant: the argument never changes after the first
 * call; answers of the server don't.
 */

export function weakly<K extends object, V>(compute: (key: K) => V): (key: K) => V {
  const known = new WeakMap<K, { readonly value: V }>();
  return (key) => {
    const found = known.get(key);
    if (found !== undefined) return found.value;
    const value = compute(key);
    known.set(key, { value });
    return value;
  };
}

/** The same object with some of its methods replaced. */
export function but<T extends object>(inner: T, changed: Partial<T>): T {
  return new Proxy(inner, {
    get: (target, key) => {
      const value: unknown = Reflect.get(key in changed ? changed : target, key);
      return typeof value === 'function' ? (value.bind(key in changed ? changed : target) as unknown) : value;
    },
  });
}

// Compares the rights that an adapter lists for each method with the calls that the method makes while its contract
// runs.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Signer } from '#aws/signed.ts';

/** The part of an SDK client that is needed here. */
interface Client {
  middlewareStack: {
    add(
      middleware: (next: (args: never) => unknown, context: { commandName?: string }) => (args: never) => unknown,
      options: { step: 'initialize'; name: string },
    ): void;
  };
}
type Input = { IndexName?: string; TransactItems?: object[] };
type Rights = Record<string, string[]>;

const ofDynamo: Record<string, string> = {
  ...{ Get: 'GetItem', Put: 'PutItem', Update: 'UpdateItem', Delete: 'DeleteItem', BatchWrite: 'BatchWriteItem' },
  ...{ ConditionCheck: 'ConditionCheckItem', Query: 'Query', Scan: 'Scan' },
};
const ofOthers: Record<string, string> = {
  ...{ GetObject: 's3:GetObject', HeadObject: 's3:GetObject', PutObject: 's3:PutObject' },
  ...{ DeleteObjects: 's3:DeleteObject', ListObjectsV2: 's3:ListBucket', PutRecords: 'kinesis:PutRecords' },
};

/** The IAM actions that a call needs; those on an index are listed apart. */
function actionsOf(command: string, { IndexName, TransactItems = [] }: Input): string[] {
  const name = command.replace(/Command$/, '');
  if (/^TransactWrite/.test(name))
    return TransactItems.flatMap(Object.keys).map((change) => `dynamodb:${ofDynamo[change]}`);
  if (name in ofOthers) return [ofOthers[name]];
  const action = `dynamodb:${ofDynamo[name.replace(/Item$/, '')] ?? name}`;
  return [IndexName === undefined ? action : `${action} on the index`];
}

export const onIndex = (rights: Rights): Rights =>
  Object.fromEntries(
    Object.entries(rights).map(([method, actions]) => [method, actions.map((action) => `${action} on the index`)]),
  );

/** Records the calls that go through the clients while a method of a watched store runs. */
export function watchCalls(...clients: unknown[]) {
  const running = new AsyncLocalStorage<(action: string) => void>();
  for (const client of clients as Client[])
    client.middlewareStack.add(
      (next, { commandName = '' }) =>
        (args) => {
          for (const action of actionsOf(commandName, (args as { input: Input }).input)) running.getStore()?.(action);
          return next(args);
        },
      { step: 'initialize', name: 'rights' },
    );
  const called = new Map<string, { needs: Set<string>; listed: Set<string> }>();

  return {
    /** Wraps a store: its calls are recorded by method, beside the rights that the method lists. */
    store<Store extends object>(name: string, store: Store, ...lists: object[]): Store {
      return new Proxy(store, {
        get(target, method) {
          const value = target[method as keyof Store] as unknown;
          if (typeof value !== 'function') return value;
          const listed = lists.flatMap((rights) => (rights as Rights)[String(method)] ?? []);
          const id = `${name}.${String(method)}`;
          const entry = called.get(id) ?? { needs: new Set(), listed: new Set(listed) };
          called.set(id, entry);
          return (...args: unknown[]) =>
            running.run(
              (action) => entry.needs.add(action),
              () => value.apply(target, args),
            );
        },
      });
    },
    /** A line for each call without a right, and for each right that no call needed. */
    faults: () =>
      [...called].flatMap(([id, { needs, listed }]) => [
        ...[...needs].filter((action) => !listed.has(action)).map((action) => `${id} lacks ${action}`),
        ...[...listed].filter((action) => !needs.has(action)).map((action) => `${id} needs no ${action}`),
      ]),
    called: () => [...called.keys()],
  };
}

/** Records which calls of OpenSearch each method of a search store makes, with `whalewatch` for the prefix of its indices. */
export function watchSearch(prefix: string) {
  const running = new AsyncLocalStorage<string>();
  const calls = new Map<string, Set<string>>();
  return {
    calls,
    /** To be given to the store, as what signs its calls. */
    sign: (async (url, { method, headers = {} }) => {
      const by = running.getStore() ?? '';
      const path = decodeURIComponent(url.pathname).replaceAll(prefix, 'whalewatch');
      calls.set(by, (calls.get(by) ?? new Set()).add(`${method} ${path}`));
      return headers;
    }) satisfies Signer,
    store: <Store extends object>(store: Store): Store =>
      new Proxy(store, {
        get(target, method) {
          const value = target[method as keyof Store] as unknown;
          if (typeof value !== 'function') return value;
          return (...given: unknown[]) => running.run(String(method), () => value.apply(target, given));
        },
      }),
  };
}

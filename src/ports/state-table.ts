/**
 * Small durable facts of one kind, by key: what this node made of its peers. All of a table is in memory for reading.
 * Contract for every adapter: a value is JSON; a fact that cannot be read at the start is an error, not an absence.
 */
export interface StateTable<Value> {
  get(key: string): Value | undefined
  /** In the order of their keys. */
  entries(): IterableIterator<readonly [key: string, value: Value]>
  readonly size: number
  /** Readable at once, durable when it resolves. */
  put(key: string, value: Value): Promise<void>
  /** Durable when it resolves. False if there was none. */
  remove(key: string): Promise<boolean>
  /** Readable at once, written within seconds; the last ones may be lost in a crash. For figures, not for decisions. */
  note(key: string, value: Value): void
}

/** The tables of one node. Closing writes what was only noted. */
export interface StateStore extends AsyncDisposable {
  /** @param read - checks what was stored; throws for what it does not understand */
  table<Value>(name: string, read: (stored: unknown) => Value): StateTable<Value>
}

/** State tables in memory, for tests and simulations. A crash loses all of it. */
import type { StateStore, StateTable } from '../../ports/state-table.ts'

export function memoryState(): StateStore {
  const tables = new Map<string, Map<string, string>>()
  return {
    table: (name, read) => {
      const stored = tables.get(name) ?? new Map<string, string>()
      tables.set(name, stored)
      return tableOf(stored, read)
    },
    async [Symbol.asyncDispose]() {}
  }
}

/** Values pass through JSON, as they do where they are durable. */
function tableOf<Value>(stored: Map<string, string>, read: (stored: unknown) => Value): StateTable<Value> {
  const parse = (text: string): Value => read(JSON.parse(text))
  const note = (key: string, value: Value): void => {
    stored.set(key, JSON.stringify(value))
  }
  return {
    get: key => {
      const text = stored.get(key)
      return text === undefined ? undefined : parse(text)
    },
    *entries() {
      for (const [key, text] of [...stored].toSorted(([a], [b]) => (a < b ? -1 : 1))) yield [key, parse(text)]
    },
    get size() {
      return stored.size
    },
    put: async (key, value) => note(key, value),
    remove: async key => stored.delete(key),
    note
  }
}

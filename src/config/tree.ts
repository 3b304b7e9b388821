/** Walks the schema: every key with its dotted name and the name it has in the environment. */
import type { Key, SchemaNode } from './schema.ts'

export interface Leaf {
  /** `network.maxConnections` */
  readonly name: string
  /** `KITH_NETWORK_MAX_CONNECTIONS` */
  readonly env: string
  readonly key: Key<unknown>
}

export function isKey(node: SchemaNode): node is Key<unknown> {
  return typeof node['parse'] === 'function'
}

export function leaves(schema: SchemaNode, name = ''): Leaf[] {
  if (isKey(schema)) return [{ name, env: envName(name), key: schema }]
  return Object.entries(schema).flatMap(([word, node]) => leaves(node, name === '' ? word : `${name}.${word}`))
}

export function envName(name: string): string {
  const words = name
    .replaceAll('.', '_')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .replace(/([A-Z0-9])([A-Z][a-z])/g, '$1_$2')
  return `KITH_${words.toUpperCase()}`
}

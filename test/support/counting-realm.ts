/** A realm that keeps count of every look into it. */
import type { RealmStore } from '../../src/ports/record-store.ts'

/** @param looks - gets one word for each look, such as `own blocks.has` */
export function countingRealm(name: string, realm: RealmStore, looks: string[]): RealmStore {
  const note = (what: string): void => {
    looks.push(`${name} ${what}`)
  }
  return {
    blocks: watched(realm.blocks, {
      has: async cid => {
        note('blocks.has')
        return await realm.blocks.has(cid)
      },
      get: async (cid, options) => {
        note('blocks.get')
        return await realm.blocks.get(cid, options)
      }
    }),
    records: watched(realm.records, {
      get: root => {
        note('records.get')
        return realm.records.get(root)
      },
      findByHash: sha256 => {
        note('records.findByHash')
        return realm.records.findByHash(sha256)
      }
    }),
    remembered: watched(realm.remembered, {
      has: digest => {
        note('remembered.has')
        return realm.remembered.has(digest)
      }
    }),
    withheld: watched(realm.withheld, {
      has: multihash => {
        note('withheld.has')
        return realm.withheld.has(multihash)
      }
    }),
    corruptCount: () => realm.corruptCount(),
    damage: () => realm.damage(),
    forgetDamage: async () => await realm.forgetDamage(),
    [Symbol.asyncDispose]: async () => {
      await realm[Symbol.asyncDispose]()
    }
  }
}

/** All of `part`, with some of its methods replaced. */
function watched<T extends object>(part: T, replaced: Partial<T>): T {
  return new Proxy(part, {
    get: (target, key) => {
      const value: unknown = Reflect.get(replaced, key) ?? Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
}

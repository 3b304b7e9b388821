/** CBOR of strangers, read strictly: one spelling of each value, no key twice, nothing that is no value. Pure. */
import { decode } from 'cborg'

/** Maps as Map: a key named `__proto__` is then only a key. @throws whatever cborg throws, a RangeError for deep nesting */
export function decodeStrict(payload: Uint8Array): unknown {
  return decode(payload, {
    strict: true,
    useMaps: true,
    rejectDuplicateMapKeys: true,
    allowIndefinite: false,
    allowUndefined: false,
    allowNaN: false,
    allowInfinity: false,
    allowBigInt: false
  })
}

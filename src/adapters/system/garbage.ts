/**
 * How often the garbage of this process is collected. Content passes through as buffers outside V8's heap; by default
 * V8 marks the whole heap anew for every 64 MB of them, on every core, which costs more than encrypting them.
 */
import { setFlagsFromString } from 'node:v8'

/**
 * Growth of heap and buffers together after which a collection begins, percent. Twice as much saves little and costs
 * a transfer of 1 GiB another 30 MiB of memory.
 */
const GROWTH_PERCENT = 50

/** For daemons only: it concerns the whole process. V8 reads both values at each collection, so it may come late. */
export function countBuffersAsHeap(): void {
  setFlagsFromString('--external-memory-accounted-in-global-limit')
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`)
}

/**
 * How often the garbage of this process is collected. Content passes through as buffers outside V8's heap; by default
 * V8 marks the whole heap anew for every 64 MB of them, on every core, which costs more than encrypting them.
 */
import { setFlagsFromString } from 'node:v8'

/**
 * Growth of heap and buffers together after which a collection begins, percent. Less collects more often; 110 adds
 * up to 250 MiB to the receiver of 1 GiB instead of some 210.
 */
const GROWTH_PERCENT = 70

/** For daemons only: it concerns the whole process. V8 reads both values at each collection, so it may come late. */
export function countBuffersAsHeap(): void {
  setFlagsFromString('--external-memory-accounted-in-global-limit')
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`)
}

/** What tells a slow line from silence: bytes that come, whole blocks or not. Pure. */
import { KIB, MIB, type Bytes, type Ms, type Rate } from './units.ts'

/** Half a telephone line. Who sends less, a byte now and then, is as good as silent; who sends more holds a request no longer than a block takes. */
export const LINE_RATE_MIN: Rate = 4 * KIB
/** However its bytes come: by then the largest block is whole at that rate. */
export const BLOCK_MS_MAX: Ms = (MIB / LINE_RATE_MIN) * 1000

/** Whether so many bytes in that time are a line that works. */
export function isComing(bytes: Bytes, ms: Ms): boolean {
  return bytes >= (LINE_RATE_MIN * ms) / 1000
}

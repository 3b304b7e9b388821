/** How large a frame of each type may be, seen from either side. */
import { BLOCK_BYTES_MAX } from '../model/block.ts'
import type { Bytes } from '../model/units.ts'
import { ProtocolOffence } from './frames.ts'
import { CAPABILITIES_BYTES_MAX, CONTROL_BYTES_MAX, FRAME, FRAME_BYTES_MAX, REQUEST_BYTES_MAX, SKIPPABLE_FROM } from './protocol.ts'

/** What a client reads. @throws ProtocolOffence (unexpected-frame) for what no answer contains */
export function answerLimit(type: number): Bytes {
  switch (type) {
    case FRAME.NODE:
    case FRAME.LEAF:
    case FRAME.BLOCK:
      return BLOCK_BYTES_MAX + 4
    case FRAME.ADVERT:
      return FRAME_BYTES_MAX
    case FRAME.CAPABILITIES:
      return CAPABILITIES_BYTES_MAX
    case FRAME.HEAD:
    case FRAME.HAVE:
    case FRAME.END:
      return CONTROL_BYTES_MAX
    default:
      return skippableLimit(type, FRAME_BYTES_MAX)
  }
}

/** What a server reads. @throws ProtocolOffence (unexpected-frame) for anything but requests */
export function requestLimit(type: number): Bytes {
  return type === FRAME.REQUEST ? REQUEST_BYTES_MAX : skippableLimit(type, REQUEST_BYTES_MAX)
}

function skippableLimit(type: number, limit: Bytes): Bytes {
  if (type >= SKIPPABLE_FROM) return limit
  throw new ProtocolOffence('unexpected-frame', `a frame of type ${type} is not expected here`)
}

/**
 * Short messages between Kith nodes over `/kith/control/1`: one request, one answer. Bodies are CBOR values; the
 * channel bounds and parses them, each handler checks what its kind must hold.
 */
import type { AbortOptions } from './options.ts'

/** What travels: CBOR of text, bytes, numbers, booleans, null, lists and maps with text keys. At most 64 KiB encoded. */
export type ControlValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly ControlValue[]
  | { readonly [key: string]: ControlValue }

/** `peer` is authenticated by the connection. Throws KithError UNAUTHORIZED, INVALID_PARAMS, RATE_LIMITED … whose code and message the asker gets. */
export type ControlHandler = (peer: string, body: ControlValue) => Promise<ControlValue>

export interface Control {
  /** One handler a kind; to be registered before the host listens. Kinds: `pair`, `assert`, `revoke`, `available`, `goodbye`, … */
  handle(kind: string, handler: ControlHandler): void
  /**
   * @throws KithError with the code the peer answered; UNAVAILABLE when it is not connected, does not speak the
   * protocol or the kind, or breaks its form
   */
  ask(peer: string, kind: string, body: ControlValue, options: AbortOptions): Promise<ControlValue>
}

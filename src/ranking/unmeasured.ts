/** Estimates of a node that measures nothing: everybody is unknown. For tests, and until the measuring ones are opened. */
import type { Estimates, PeerEstimate } from '../ports/estimates.ts'

const UNKNOWN: PeerEstimate = {
  firstByteMs: null,
  firstByteP90Ms: null,
  latencyMs: null,
  rate: null,
  bandwidth: null,
  failShare: 0,
  precision: 1,
  hits: { yes: 0, no: 0 },
  inFlight: 0,
  samples: 0
}

export const UNMEASURED: Estimates = {
  of: () => UNKNOWN,
  begin: () => ({ firstByte() {}, end() {} }),
  latency() {},
  observeClaim() {},
  ledger: () => ({}),
  serving: () => ({ [Symbol.dispose]() {} }),
  served() {}
}

/** The standing of a node that knows nobody: every peer is a stranger, and none is shunned. For tests. */
import type { Standing } from '../ports/standing.ts'

export const STRANGERS: Standing = {
  accessOf: () => 0,
  trustOf: () => 0,
  isTrusted: () => false,
  isShunned: () => false,
  whyShunned: () => undefined,
  nameOf: () => undefined,
  trustedPeers: () => [],
  report() {},
  onChange: () => () => {}
}

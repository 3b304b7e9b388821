/** What is expected of a peer of which nothing was measured: hopeful, so that newcomers get their chance. Pure. */
import { MIB, type Ms, type Rate } from './units.ts'

export const FIRST_BYTE_UNKNOWN_MS: Ms = 50
/** Bytes a second. */
export const RATE_UNKNOWN: Rate = 10 * MIB
/** TCP, noise, yamux and identify are some four round trips. */
export const DIAL_MS: Ms = 300

/**
 * What every test of bad input looks at, on a real daemon: the clear coded error (or the next source), nothing wrong
 * stored, and the daemon alive with its memory back.
 */
import assert from 'node:assert/strict'
import type { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { KithError, type ErrorCode } from '../../src/errors.ts'
import { MIB } from './daemon-support.ts'

/**
 * How much larger the process may be than before: freed memory goes back to the system late and never wholly, and
 * nobody can force a collection from outside. What a bad input could make it keep is far more. Bytes.
 */
export const MEMORY_SLACK_BYTES = 128 * MIB
/** Rounds in which the memory may come back. Each reads the whole store, which moves the collector. */
const ROUNDS_MAX = 50

export interface UnharmedOptions {
  /** The action must fail with one of these codes (of a KithError). Absent: it must succeed, at the next source. */
  readonly code?: ErrorCode | readonly ErrorCode[]
  /** Corrupt or missing blocks are what the action is about: the caller looks at them. Default false. */
  readonly damaged?: boolean
}

/** @returns what the action gave; with `code`, the error it failed with */
export async function unharmed<T>(
  daemon: DaemonProcess,
  action: () => Promise<T>,
  options: UnharmedOptions & { code: ErrorCode | readonly ErrorCode[] }
): Promise<KithError>
export async function unharmed<T>(daemon: DaemonProcess, action: () => Promise<T>, options?: UnharmedOptions): Promise<T>
export async function unharmed<T>(daemon: DaemonProcess, action: () => Promise<T>, options: UnharmedOptions = {}): Promise<T | KithError> {
  const before = await residentBytes(daemon)
  const outcome = options.code === undefined ? await action() : await failure(action, [options.code].flat())
  if (options.damaged !== true) await assertClean(daemon)
  await assertMemoryBack(daemon, before)
  assert.equal(daemon.isRunning, true)
  return outcome
}

/** Every block of the store is what its address says, and nothing that is recorded is missing. */
export async function assertClean(daemon: DaemonProcess): Promise<void> {
  const { corrupt, missing } = await daemon.client.call('content.verify', {})
  assert.deepEqual({ corrupt, missing }, { corrupt: [], missing: [] })
}

/** @throws if the daemon stays larger than it was by more than {@link MEMORY_SLACK_BYTES} */
export async function assertMemoryBack(daemon: DaemonProcess, before: number): Promise<void> {
  let now = await residentBytes(daemon)
  for (let round = 0; now > before + MEMORY_SLACK_BYTES && round < ROUNDS_MAX; round++) {
    await daemon.client.call('content.verify', {})
    now = await residentBytes(daemon)
  }
  assert.ok(now <= before + MEMORY_SLACK_BYTES, `the daemon held ${before} bytes before and ${now} after`)
}

export async function residentBytes(daemon: DaemonProcess): Promise<number> {
  return (await daemon.client.call('daemon.status', {})).memory.rssBytes
}

async function failure(action: () => Promise<unknown>, codes: readonly ErrorCode[]): Promise<KithError> {
  const error = await action().then(
    () => undefined,
    (thrown: unknown) => thrown
  )
  assert.ok(error instanceof KithError, `it was expected to fail with ${codes.join(' or ')}, and gave ${String(error)}`)
  assert.ok(codes.includes(error.code), `${codes.join(' or ')} was expected, and it is ${error.code}: ${error.message}`)
  assert.ok(error.message.length > 20, 'the error says what happened')
  return error
}

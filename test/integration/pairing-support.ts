/** What tests of pairing share: two daemons that never met, and what they think of each other. */
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import type { KithError } from '../../src/errors.ts'

export async function startTwo(): Promise<{ a: DaemonProcess; b: DaemonProcess } & AsyncDisposable> {
  const [a, b] = await Promise.all([DaemonProcess.start(), DaemonProcess.start()])
  return {
    a,
    b,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([a[Symbol.asyncDispose](), b[Symbol.asyncDispose]()])
    }
  }
}

/** What a daemon lets another do, 0–10. */
export async function accessOf(daemon: DaemonProcess, did: string): Promise<number> {
  return (await daemon.client.call('trust.get', { did })).access
}

export function reasonOf({ code, data }: KithError): unknown[] {
  return [code, data['reason']]
}

/** Longest wait for two daemons to find each other: a machine that runs much else starts them slowly. Milliseconds. */
const MEETING_MS_MAX = 60_000

/** Resolves when a daemon has been connected to another since its start. */
export async function meeting(daemon: DaemonProcess, other: DaemonProcess): Promise<void> {
  const signal = AbortSignal.timeout(MEETING_MS_MAX)
  for await (const event of daemon.client.events({ types: ['peer.connected'], since: 0 }, { signal })) {
    if (event['peerId'] === other.ready.peerId) return
  }
}

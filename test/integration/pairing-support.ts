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

/** Linux network namespaces for tests: two of them, joined by a cable that can be plugged in. Needs root and `ip`. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Why there can be none here, in one line; undefined if there can. */
export async function whyNoNamespaces(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'network namespaces need root on Linux'
  const name = `kith-try-${process.pid}`
  try {
    await ip('netns', 'add', name)
    await ip('netns', 'del', name)
    return undefined
  } catch {
    return 'the ip tool cannot make network namespaces here'
  }
}

export interface CableNet extends AsyncDisposable {
  /** Namespaces with nothing but loopback up; `far` already has its end of the cable, at 10.77.0.2. */
  readonly near: string
  readonly far: string
  /** What runs `command` inside. */
  inside(namespace: string, command: readonly string[]): { readonly file: string; readonly args: string[] }
  /** The near end goes up, at 10.77.0.1. */
  plugIn(): Promise<void>
}

export async function makeCableNet(): Promise<CableNet> {
  const [near, far] = [`kith-near-${process.pid}`, `kith-far-${process.pid}`]
  const [nearEnd, farEnd] = [`kn${process.pid}`, `kf${process.pid}`]
  const net: CableNet = {
    near,
    far,
    inside: (namespace, [command = '', ...args]) => ({ file: 'ip', args: ['netns', 'exec', namespace, command, ...args] }),
    plugIn: async () => {
      await ip('-n', near, 'addr', 'add', '10.77.0.1/24', 'dev', nearEnd)
      await ip('-n', near, 'link', 'set', nearEnd, 'up')
    },
    [Symbol.asyncDispose]: async () => {
      for (const name of [near, far]) await ip('netns', 'del', name).catch(() => {})
    }
  }
  try {
    for (const name of [near, far]) {
      await ip('netns', 'add', name)
      await ip('-n', name, 'link', 'set', 'lo', 'up')
    }
    await ip('link', 'add', nearEnd, 'netns', near, 'type', 'veth', 'peer', 'name', farEnd, 'netns', far)
    await ip('-n', far, 'addr', 'add', '10.77.0.2/24', 'dev', farEnd)
    await ip('-n', far, 'link', 'set', farEnd, 'up')
    return net
  } catch (error) {
    await net[Symbol.asyncDispose]()
    throw error
  }
}

async function ip(...args: string[]): Promise<void> {
  await run('ip', args)
}

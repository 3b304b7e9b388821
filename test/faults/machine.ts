/** What a test needs of the machine, and why it is skipped where it is not to be had. */
import { execFileSync } from 'node:child_process'

/** @returns undefined if all of it is there */
export function missing(...tools: readonly string[]): string | undefined {
  const absent = tools.filter(tool => !succeeds('sh', ['-c', 'command -v "$0"', tool]))
  return absent.length === 0 ? undefined : `${absent.join(', ')} not installed`
}

/** File systems can be mounted: root, and a kernel and container that let it. */
export function cannotMount(): string | undefined {
  if (process.getuid?.() !== 0) return 'mounting needs root'
  return succeeds('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']) ? undefined : 'nothing can be mounted here'
}

/** Skips the running test or suite with one line if there is a reason. */
export function skipIf(context: Mocha.Context, reason: string | undefined): void {
  if (reason === undefined) return
  console.log(`      skipped: ${reason}`)
  context.skip()
}

export function run(command: string, parameters: readonly string[]): void {
  execFileSync(command, parameters, { stdio: ['ignore', 'ignore', 'pipe'] })
}

export function succeeds(command: string, parameters: readonly string[]): boolean {
  try {
    run(command, parameters)
    return true
  } catch {
    return false
  }
}

/** The program `kith` in a process of its own, as a person starts it. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'

const KITH = join(import.meta.dirname, '../../bin/kith.js')

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export type Terminal = (...argv: readonly string[]) => Promise<Ended>

/** In a directory of its own, for the daemon of this home. */
export function terminal(cwd: string, home: string): Terminal {
  return async (...argv) =>
    await new Promise(resolve => {
      const env = { PATH: process.env['PATH'], KITH_HOME: home }
      const child = execFile(process.execPath, [KITH, ...argv], { cwd, env }, (_error, stdout, stderr) =>
        resolve({ code: child.exitCode ?? -1, stdout, stderr })
      )
    })
}

/** Which Node would run kithd: the one that runs this, if it is new enough, else the checkout's, as bin/kithd.js chooses. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Finding } from './finding.ts'

/** libp2p and the store need it. Kept equal to bin/kithd.js by a test. */
export const NODE_MAJOR_MIN = 24
/** A Node that takes longer to say its version does not start. Milliseconds. */
const VERSION_MS_MAX = 10_000
const CHECKOUT = new URL('../../../', import.meta.url)

export interface NodeInit {
  /** Version of the Node that runs this. */
  readonly version?: string
  /** Where the package lies; a URL that ends in `/`. */
  readonly checkout?: URL
}

export async function nodeFindings({ version = process.versions.node, checkout = CHECKOUT }: NodeInit = {}): Promise<Finding[]> {
  if (Number.parseInt(version, 10) >= NODE_MAJOR_MIN) return [{ code: 'NODE', severity: 'ok', message: `Node ${version} runs kithd` }]
  const path = candidates(checkout).find(existsSync)
  if (path === undefined)
    return [
      {
        code: 'NODE_MISSING',
        severity: 'error',
        message: `kithd needs Node ${NODE_MAJOR_MIN} or newer; this is ${version}, and the checkout has none of its own`,
        remedy: `run "npm run build" in ${fileURLToPath(checkout)}, or install Node ${NODE_MAJOR_MIN}`
      }
    ]
  return [await judge(path)]
}

/** The same places, in the same order, as bin/kithd.js. */
function candidates(checkout: URL): string[] {
  return ['node_modules/node/bin/node', `node_modules/node-${process.platform}-${process.arch}/bin/node`, '../node/bin/node'].map(path =>
    fileURLToPath(new URL(path, checkout))
  )
}

async function judge(path: string): Promise<Finding> {
  const remedy = 'remove node_modules and run "npm run build" again'
  try {
    const { stdout } = await promisify(execFile)(path, ['--version'], { timeout: VERSION_MS_MAX })
    const found = stdout.trim().replace(/^v/, '')
    if (Number.parseInt(found, 10) >= NODE_MAJOR_MIN)
      return { code: 'NODE', severity: 'ok', message: `Node ${found} of the checkout runs kithd` }
    return {
      code: 'NODE_OLD',
      severity: 'error',
      message: `kithd needs Node ${NODE_MAJOR_MIN} or newer, and the checkout's own is ${found}`,
      remedy
    }
  } catch (error) {
    const [why = ''] = (error instanceof Error ? error.message : String(error)).split('\n')
    return { code: 'NODE_BROKEN', severity: 'error', message: `the checkout's Node ${path} does not start: ${why}`, remedy }
  }
}

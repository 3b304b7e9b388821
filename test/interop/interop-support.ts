/** What the tests with a real Kubo share: files that are the same on every machine, and the two kinds of node. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { writeSeededFile } from '../../scripts/lib/seeded-file.ts'

export const MIB = 1_048_576
const SEED = 43

/** Writes a file whose bytes follow from its name and size. @returns its SHA-256 in hex */
export async function writeRandom(path: string, size: number): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  return await writeSeededFile(path, SEED, { name: `${path.split('/').at(-1)} ${size}`, size })
}

/** Folders within folders, an empty one, an empty file, names that are not ASCII. */
export async function writeTree(root: string): Promise<void> {
  await mkdir(join(root, 'hollow'), { recursive: true })
  await writeRandom(join(root, 'one.bin'), 2 * MIB + 5)
  await writeRandom(join(root, 'sub/deep/deeper/small.bin'), 77)
  await writeFile(join(root, 'sub/none'), '')
  await writeFile(join(root, 'sub/ünï çødé 文字 🜁.txt'), 'names are bytes')
  await writeFile(join(root, 'sub/a b%20c'), 'no escapes')
}

/** More entries than fit a block of links. */
export async function writeCrowd(root: string, entries: number): Promise<void> {
  await mkdir(root, { recursive: true })
  for (let index = 0; index < entries; index++) await writeFile(join(root, `entry number ${index}.txt`), `this is ${index}`)
}

/** Ends several nodes at once. */
export async function endAll(nodes: readonly (AsyncDisposable | undefined)[]): Promise<void> {
  await Promise.all(nodes.map(async node => await node?.[Symbol.asyncDispose]()))
}

/** A daemon that asks IPFS and gateways without waiting for peers first. */
export async function startDaemon(...set: readonly string[]): Promise<DaemonProcess> {
  return await DaemonProcess.start({ set: ['routing.ipfsDelay=0', 'routing.gatewayDelay=0', ...set] })
}

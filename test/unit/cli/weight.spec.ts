import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Imports the modules named in its arguments and prints the address of everything that was loaded for them. */
const LOADER = `
import { registerHooks } from 'node:module'
const loaded = []
registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context) } })
for (const file of process.argv.slice(1)) await import(file)
console.log(JSON.stringify(loaded))
`

const COMMANDS = [
  'main',
  'run-get',
  'run-put',
  'run-car',
  'run-content',
  'run-config',
  'config-token',
  'run-node',
  'run-peers',
  'doctor/doctor'
].map(name => `cli/${name}`)

describe('the weight of kith', () => {
  it('loads neither the daemon nor its dependencies', async () => {
    const files = [...COMMANDS, 'rpc/client'].map(name => new URL(`../../../src/${name}.ts`, import.meta.url).href)
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', LOADER, ...files])
    const loaded: unknown = JSON.parse(stdout)
    assert.ok(Array.isArray(loaded) && files.every(file => loaded.includes(file)))
    const heavy = loaded.filter(url => /node_modules|rpc\/(table|server|method)|daemon\.ts/.test(String(url)))
    assert.deepEqual(heavy, [])
  })
})

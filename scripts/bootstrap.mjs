/**
 * Makes the checkout ready to run: packages, a Node that can run Kith, the build. Does only what is missing, says
 * each thing it does in a line on stderr, and nothing when there is nothing to do.
 *
 * Runs on Node 20 without packages, since it is what brings both.
 *
 *   node scripts/bootstrap.mjs [--force-build]
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const NODE_MAJOR_MIN = 24
export const ROOT = fileURLToPath(new URL('..', import.meta.url))

const MODULES = join(ROOT, 'node_modules')
const PACKAGES_STAMP = join(MODULES, '.kith-stamp')
const BUILD_STAMP = join(ROOT, 'dist', '.kith-stamp')
const QUIET = ['--no-audit', '--no-fund', '--loglevel=error']

/** @returns the path of a Node that can run Kith */
export function bootstrap({ forceBuild = false } = {}) {
  installPackages()
  const node = findNode() ?? installNode()
  build(node, forceBuild)
  return node
}

function installPackages() {
  const wanted = hash(['package-lock.json'])
  if (stamped(PACKAGES_STAMP) === wanted && existsSync(MODULES)) return
  if (!installedAsLocked()) {
    say('installing packages (npm ci); this takes a minute or two')
    if (!tryNpm(['ci', ...QUIET])) installLoosely()
  }
  writeFileSync(PACKAGES_STAMP, wanted)
}

/**
 * npm ci refuses a lock that lacks packages for other systems, which a registry mirror may not offer. npm install
 * takes the same versions from the same lock.
 */
function installLoosely() {
  say('npm ci refused package-lock.json; trying npm install, which keeps to its versions')
  npm(['install', '--no-save', ...QUIET])
}

/** Whether someone ran npm already: every locked package is there, in its version (those for other systems aside). */
function installedAsLocked() {
  const hidden = join(MODULES, '.package-lock.json')
  if (!existsSync(hidden)) return false
  const installed = readJson(hidden).packages
  return Object.entries(readJson(join(ROOT, 'package-lock.json')).packages).every(
    ([path, { version, optional, devOptional }]) => path === '' || optional || devOptional || installed[path]?.version === version
  )
}

/** The running Node if it will do, else the checkout's; but what is found in the path of npm scripts must do, too. */
function findNode() {
  const own = join(MODULES, 'node', 'bin', 'node')
  if (existsSync(own) && majorOf(own) >= NODE_MAJOR_MIN) return own
  const system = process.execPath
  return Number.parseInt(process.versions.node, 10) >= NODE_MAJOR_MIN && !realpathSync(system).startsWith(MODULES) ? system : undefined
}

/** The `node` package brings its binary by an install script, which npm may have been told not to run. */
function installNode() {
  const name = `node-${process.platform}-${process.arch}`
  const { version } = readJson(join(ROOT, 'package-lock.json')).packages['node_modules/node']
  say(`installing Node ${version} into the checkout (this is ${process.versions.node})`)
  npm(['install', '--no-save', '--ignore-scripts', ...QUIET, `${name}@${version}`])
  link(join('..', '..', name, 'bin', 'node'), join(MODULES, 'node', 'bin', 'node'))
  link(join('..', 'node', 'bin', 'node'), join(MODULES, '.bin', 'node'))
  return (
    findNode() ??
    fail(
      `Kith needs Node ${NODE_MAJOR_MIN} or newer and ${name}@${version} did not bring one. Install Node ${NODE_MAJOR_MIN} (https://nodejs.org) and run this again`
    )
  )
}

function build(node, force) {
  const wanted = hash(['package-lock.json', 'package.json', 'tsconfig.json', ...filesBelow('src')])
  if (!force && stamped(BUILD_STAMP) === wanted) return
  say('building (tsc)')
  // Without the stamp, a build that is broken off or fails is done again.
  rmSync(BUILD_STAMP, { force: true })
  compile(node)
  removeOrphans()
  writeFileSync(BUILD_STAMP, wanted)
}

/** What was built from a source that is gone would still be found by imports. */
function removeOrphans() {
  for (const file of filesBelow('dist')) {
    const source = file.replace(/^dist/, 'src').replace(/(\.d\.ts|\.js\.map|\.js)$/, '.ts')
    if (source !== file.replace(/^dist/, 'src') && !existsSync(join(ROOT, source))) rmSync(join(ROOT, file))
  }
}

function npm(args) {
  if (!tryNpm(args, 'inherit')) fail(`npm ${args[0]} failed`)
}

function tryNpm(args, stderr = 'ignore') {
  // npm may be replacing the very Node that npm scripts put first in the path.
  const parts = (process.env.PATH ?? '').split(delimiter).filter(part => !part.startsWith(MODULES))
  return (
    spawnSync('npm', args, { cwd: ROOT, env: { ...process.env, PATH: parts.join(delimiter) }, stdio: ['ignore', 'ignore', stderr] })
      .status === 0
  )
}

function compile(node) {
  const { status, stdout, error } = spawnSync(node, [join(MODULES, 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.json'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit']
  })
  if (status === 0) return
  process.stderr.write(stdout ?? '')
  fail(`the build failed${error === undefined ? '' : `: ${error.message}`}`)
}

function majorOf(node) {
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' })
  return Number.parseInt(stdout?.slice(1) ?? '', 10)
}

function hash(files) {
  const digest = createHash('sha256')
  for (const file of files) {
    const bytes = readFileSync(join(ROOT, file))
    digest.update(`${file}\0${bytes.byteLength}\0`).update(bytes)
  }
  return digest.digest('hex')
}

function filesBelow(directory) {
  return readdirSync(join(ROOT, directory), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => relative(ROOT, join(entry.parentPath, entry.name)))
    .sort()
}

function stamped(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}

function link(target, path) {
  mkdirSync(join(path, '..'), { recursive: true })
  rmSync(path, { force: true })
  symlinkSync(target, path)
}

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'))
}

function say(text) {
  process.stderr.write(`kith: ${text}\n`)
}

function fail(why) {
  say(why)
  process.exit(1)
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  bootstrap({ forceBuild: process.argv.includes('--force-build') })

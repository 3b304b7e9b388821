/** Adds lock entries for optional platform packages that a registry mirror does not offer, so that npm ci accepts the lock everywhere. Run after a change of dependencies. */
import { readFileSync, writeFileSync } from 'node:fs'
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'))
const P = lock.packages
let added = []
for (const [path, p] of Object.entries({ ...P })) {
  for (const [name, version] of Object.entries(p.optionalDependencies ?? {})) {
    const at = `node_modules/${name}`
    if (P[at] || P[`${path}/node_modules/${name}`]) continue
    const tail = name
      .split('/')
      .at(-1)
      .replace(/^binding-/, '')
    const m =
      /(?:^|-)(android|darwin|freebsd|linux|openharmony|win32|netbsd|openbsd|sunos|aix)-(arm64|arm|x64|ia32|ppc64|riscv64|s390x|loong64|mips64el)(?:-(gnu|musl|eabi|gnueabihf|musleabihf|msvc))?$/.exec(
        tail
      )
    if (!m) {
      console.log('SKIP', path, name, version)
      continue
    }
    const [, os, cpu, abi = ''] = m
    P[at] = {
      version,
      cpu: [cpu],
      ...(p.dev && { dev: true }),
      ...(os === 'linux' && abi.includes('musl') && { libc: ['musl'] }),
      ...(os === 'linux' && abi.startsWith('gnu') && { libc: ['glibc'] }),
      optional: true,
      os: [os]
    }
    added.push(name)
  }
}
lock.packages = Object.fromEntries(Object.entries(P).sort(([a], [b]) => a.localeCompare(b, 'en')))
writeFileSync('package-lock.json', JSON.stringify(lock, null, 2) + '\n')
console.log('added', added.length)

import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ScopedServices } from '../../../src/rpc/scoped-services.ts'
import type { ContentServices } from '../../../src/rpc/services.ts'
import { fakeServices } from '../../support/fake-services.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { digestOf } from './support.ts'

describe('services of a token', () => {
  it('hand on the folders a path must lie below, as they really are', async () => {
    await using folder = await temporaryDirectory()
    const [real, link] = [join(folder.path, 'real'), join(folder.path, 'link')]
    await mkdir(real)
    await writeFile(join(real, 'a'), 'a')
    await symlink(real, link)
    const seen: Record<string, unknown> = {}
    const fake = fakeServices({ clock: new VirtualClock() })
    const content: ContentServices = {
      ...fake.content,
      put: async (source, params, options) => {
        seen[Object.keys(source).join()] = params.within
        return await fake.content.put(source, params, options)
      },
      get: async (params, options) => {
        seen['get'] = [params.path, params.within]
        return await fake.content.get(params, options)
      },
      export: async params => {
        seen['export'] = [params.path, params.within]
        return { roots: [], blocks: 0, bytes: 0 }
      },
      import: async params => {
        seen['import'] = [params.path, params.within]
        return { roots: [], blocks: 0, bytes: 0 }
      }
    }
    const scoped = new ScopedServices({ services: { ...fake, content }, facts: fake.facts }).for({
      scopes: new Set(['read', 'write'] as const),
      token: { name: 'app', sha256: digestOf('app'), scopes: ['read', 'write'], paths: [link] }
    }).content
    const file = join(link, 'a')
    const { uri } = await scoped.put({ bytes: Buffer.from('x') }, {}, {})
    await scoped.put({ path: file }, {}, {})
    await scoped.put({ entries: [{ path: 'a', file }] }, {}, {})
    await scoped.get({ content: uri, path: join(link, 'out') }, {})
    await scoped.export({ content: uri, path: join(link, 'out') }, {})
    await scoped.import({ path: file }, {})
    const out = [join(real, 'out'), [real]]
    assert.deepEqual(seen, { bytes: [], path: [real], entries: [real], get: out, export: out, import: [join(real, 'a'), [real]] })
  })
})

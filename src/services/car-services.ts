/** `content.export`, `content.import` and `content.link`: content that leaves and enters as files and addresses. */
import type { CID } from 'multiformats/cid'
import { assertFree, exportCar } from '../content/export-car.ts'
import { CarImporter } from '../content/import-car.ts'
import type { Library } from '../content/library.ts'
import { linkTo } from '../content/link.ts'
import type { PutInit } from '../content/put.ts'
import { KithError } from '../errors.ts'
import { parseContent } from '../model/content-id.ts'
import type { EventBus } from '../observe/events.ts'
import type { Clock } from '../ports/clock.ts'
import type { LocalFiles } from '../ports/local-files.ts'
import type { Classifier } from '../retrieval/classify.ts'
import type { ContentServices, ProgressOptions } from '../rpc/services.ts'
import type { ContentAccess } from './content-access.ts'

export interface CarServicesComponents {
  readonly library: Library
  readonly access: ContentAccess
  readonly classifier: Classifier
  readonly files: LocalFiles
  readonly clock: Clock
  readonly events: EventBus
  readonly publicChanged: (stored?: CID) => void
}

export interface CarServicesInit extends PutInit {
  /** Base URLs of gateways, or templates with `{cid}`, for links. */
  readonly gateways: readonly string[]
}

export function carServices(parts: CarServicesComponents, init: CarServicesInit): Pick<ContentServices, 'export' | 'import' | 'link'> {
  const importer = new CarImporter(parts, init)
  return {
    export: async (params, options) => await exportContent(parts, params, options),
    import: async (params, options) => {
      const { publicRoots, ...result } = await importer.import(params, options)
      for (const root of publicRoots) parts.publicChanged(root)
      return result
    },
    link: async params => await link(parts, params, init.gateways)
  }
}

async function exportContent(
  { access, files: all }: CarServicesComponents,
  { content, path, within }: Parameters<ContentServices['export']>[0],
  options: ProgressOptions
): ReturnType<ContentServices['export']> {
  const files = all.within(within)
  await assertFree(files, path)
  const stop = new AbortController()
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal])
  try {
    const opened = await access.open({ content }, { kind: 'all' }, { ...options, signal })
    const { onProgress } = options
    // What has to be fetched tells its progress itself.
    const isTold = onProgress !== undefined && opened.record !== undefined
    const result = await exportCar(files, opened.root, opened.get, path, {
      signal,
      ...(isTold ? { onBytes: bytes => onProgress({ bytes }) } : {})
    })
    await opened.report
    return result
  } catch (error) {
    stop.abort(error) // nothing more is fetched for a file that will not be
    throw error
  }
}

/** @throws NOT_FOUND if nothing of it is here · CONFLICT unless public */
async function link(
  { library, classifier }: CarServicesComponents,
  { content, filename, download }: Parameters<ContentServices['link']>[0],
  gateways: readonly string[]
): ReturnType<ContentServices['link']> {
  const ref = parseContent(content)
  const root = ref.cid ?? library.find(ref)?.record.root
  const decision = await classifier.classify({ ...ref, form: 'cid' }) // what is recorded here counts, not how it was written
  if (root === undefined || decision.reason !== 'local-record')
    throw new KithError('NOT_FOUND', 'this content is not stored here, so it is not known to be public; put or get it first', {
      attempts: []
    })
  if (!decision.public)
    throw new KithError(
      'CONFLICT',
      `${root.toString()} is private here, so no gateway could show it. Making it public on purpose comes with content.publish, which this version does not have yet.`,
      { cid: root.toString(), reason: decision.reason }
    )
  return linkTo({ root, path: ref.path, filename, download }, gateways)
}

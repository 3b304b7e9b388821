/** The method table as an OpenRPC document: what generators and people read instead of the source. */
import { z } from 'zod'
import { ERROR_KINDS } from '../errors.ts'
import type { Method } from './method.ts'
import { NOT_BUILT_METHODS } from './not-built.ts'

/** Version of the specification the document follows. */
const OPENRPC_VERSION = '1.3.2'

interface ContentDescriptor {
  readonly name: string
  readonly required: boolean
  readonly schema: unknown
}

export interface OpenRpcDocument {
  readonly openrpc: string
  /** Version of this interface: rises when something is taken away or changed. */
  readonly apiVersion: string
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly methods: readonly {
    readonly name: string
    readonly summary: string
    readonly paramStructure: 'by-name'
    readonly params: readonly ContentDescriptor[]
    readonly result: { readonly name: string; readonly schema: unknown }
    readonly 'x-access': string
    readonly 'x-not-built': readonly string[]
  }[]
  readonly components: {
    readonly errors: Readonly<Record<string, { readonly code: number; readonly message: string; readonly data: unknown }>>
  }
  /** Names of the contract that answer NOT_BUILT. */
  readonly 'x-not-built': readonly string[]
}

const documents = new WeakMap<ReadonlyMap<string, Method>, OpenRpcDocument['methods']>()

export function discover(
  methods: ReadonlyMap<string, Method>,
  versions: { readonly version: string; readonly api: string }
): OpenRpcDocument {
  const described = documents.get(methods) ?? [...methods].map(([name, entry]) => describeMethod(name, entry))
  documents.set(methods, described)
  return {
    openrpc: OPENRPC_VERSION,
    apiVersion: versions.api,
    info: {
      title: 'Kith',
      version: versions.version,
      description: 'The control interface of a Kith daemon: JSON-RPC 2.0, one message a line, over its Unix socket.'
    },
    methods: described,
    components: {
      errors: Object.fromEntries(
        Object.entries(ERROR_KINDS).map(([code, kind]) => [code, { code: kind.rpc, message: code, data: { code, fault: kind.fault } }])
      )
    },
    'x-not-built': Object.keys(NOT_BUILT_METHODS)
  }
}

function describeMethod(name: string, entry: Method): OpenRpcDocument['methods'][number] {
  return {
    name,
    summary: entry.doc,
    paramStructure: 'by-name',
    params: Object.entries(entry.params.shape).map(([param, schema]) => describeParam(param, schema)),
    result: { name: 'result', schema: jsonSchema(entry.result, 'output') },
    'x-access': entry.access,
    'x-not-built': entry.notBuilt
  }
}

function describeParam(name: string, schema: z.core.$ZodType): ContentDescriptor {
  return { name, required: !z.strictObject({ value: schema }).safeParse({}).success, schema: jsonSchema(schema, 'input') }
}

function jsonSchema(schema: z.core.$ZodType, io: 'input' | 'output'): unknown {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  return rest
}

/** What is known of a content without asking anybody: `stat` and `has`, along a path if one is given. */
import { resolvePath } from '../content/directory.ts'
import { isWhole, localBlocks, statOf } from '../content/facts.ts'
import type { Found, Library } from '../content/library.ts'
import { fileSize, getNode, type GetBlock } from '../dag/file.ts'
import { isDirectory } from '../content/directory.ts'
import { directorySize } from '../content/facts.ts'
import { KithError } from '../errors.ts'
import { contentUri, hex, RAW_CODEC, toV1, type ContentRef } from '../model/content-id.ts'
import type { Realm } from '../model/privacy.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { StatResult } from '../rpc/services.ts'
import type { CID } from 'multiformats/cid'

/** Where blocks below a recorded root may lie: its own realm, and for cached ones also what was put as public. */
const READ_WITH: Readonly<Record<Realm, readonly Realm[]>> = { own: ['own', 'public', 'cache'], public: ['public', 'cache'], cache: ['cache', 'public'] }

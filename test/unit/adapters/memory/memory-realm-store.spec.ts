import { memoryRealmStore } from '../../../../src/adapters/memory/memory-realm-store.ts'
import { blockStoreConformance } from '../../../conformance/block-store.ts'
import { recordStoreConformance } from '../../../conformance/record-store.ts'

blockStoreConformance('memoryRealmStore', async options => memoryRealmStore(options))
recordStoreConformance('memoryRealmStore', async () => memoryRealmStore())

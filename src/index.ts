/**
 * The public door for programs that run a node inside themselves. Apps beside a daemon use `kith/client` instead.
 *
 * ```ts
 * const { config, shown } = await loadConfig({ home })
 * const daemon = await startDaemon({ home, config, shown, log: createLog(config.log) })
 * ```
 */
export { startDaemon, type Daemon, type DaemonOptions } from './daemon.ts'
export { loadConfig, type ConfigSources } from './config/load.ts'
export type { Config } from './config/schema.ts'
export { createLog } from './adapters/system/log.ts'
export { KithError, ERROR_KINDS, type ErrorCode, type Fault } from './errors.ts'
export { VERSION } from './version.ts'

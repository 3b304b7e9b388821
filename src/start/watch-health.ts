/** The watch over disk, clock and endpoints: looks once when it is made, then every minute. */
import { systemClock as clock } from '../adapters/system/clock.ts'
import { diskSpace, newestFileTime } from '../adapters/system/disk.ts'
import { HealthWatch } from '../observe/health-watch.ts'
import type { HealthBoard } from '../observe/health.ts'
import type { Start } from './start.ts'

export async function watchHealth({ home, config, log, parts }: Start, health: HealthBoard): Promise<HealthWatch> {
  const watch = new HealthWatch(
    { health, clock, log, disk: async () => await diskSpace(home) },
    { reserve: config.storage.reserve, newestFileTime: await newestFileTime(home) }
  )
  await watch.start()
  parts.defer(() => {
    watch.close()
  })
  return watch
}
